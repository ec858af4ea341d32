/// The place of a record in its shard: a number of 21 digits and more.
///
/// Looks like those seen on AWS, `20500000000000000910398`: a counter of the shard's lineage, which passes
/// powers of ten and so lengthens the number, and twenty digits that grow with the stream.
struct SequenceNumber: Hashable, Comparable, Sendable {
    /// The leading digits, at least one.
    let counter: UInt64
    /// The last twenty digits.
    let tail: UInt64

    /// A number of two parts.
    init(counter: UInt64, tail: UInt64) {
        self.counter = counter
        self.tail = tail
    }

    /// The number that a request gives, or nil unless it is 21 to 40 digits.
    ///
    /// A part that is larger than any number that was ever given out counts as the largest.
    init?(_ text: String) {
        let digits = Array(text.utf8)
        guard (21...40).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        counter = UInt64(text.dropLast(20)) ?? .max
        tail = UInt64(text.suffix(20)) ?? .max
    }

    /// The digits as the service writes them.
    var digits: String {
        let tail = String(tail)
        return "\(counter)" + String(repeating: "0", count: 20 - tail.utf8.count) + tail
    }

    static func < (left: SequenceNumber, right: SequenceNumber) -> Bool {
        (left.counter, left.tail) < (right.counter, right.tail)
    }
}
