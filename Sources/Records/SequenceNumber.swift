/// The place of a record in its shard: a decimal number of 21 to 40 digits, too long for any integer type.
///
/// Sequence numbers grow inside a shard and from parent to child, and their length grows with them, so they
/// are compared as numbers: leading zeros aside, first by length and then digit by digit.
/// Source: DynamoDB Streams API, `StreamRecord.SequenceNumber`.
package struct SequenceNumber: Hashable, Sendable {
    /// The digits as the service wrote them.
    package let digits: String

    /// Takes `digits` as they are, or returns nil unless they are 1 to 40 decimal digits.
    ///
    /// The service's lower bound of 21 digits is not enforced: other implementations of the
    /// protocol number their records from 1.
    package init?(_ digits: String) {
        guard (1...40).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        self.digits = digits
    }

    private var significant: Substring.UTF8View {
        digits.utf8.drop { $0 == UInt8(ascii: "0") }
    }
}

extension SequenceNumber: Comparable {
    package static func < (left: SequenceNumber, right: SequenceNumber) -> Bool {
        let (left, right) = (left.significant, right.significant)
        let (leftCount, rightCount) = (left.count, right.count)
        return leftCount == rightCount
            ? left.lexicographicallyPrecedes(right) : leftCount < rightCount
    }

    package static func == (left: SequenceNumber, right: SequenceNumber) -> Bool {
        left.significant.elementsEqual(right.significant)
    }

    package func hash(into hasher: inout Hasher) {
        for digit in significant { hasher.combine(digit) }
    }
}

extension SequenceNumber: CustomStringConvertible {
    package var description: String { digits }
}
