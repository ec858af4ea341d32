/// A number as DynamoDB keeps it: up to 38 significant digits, magnitude 1E-130 to 9.99…E+125.
///
/// Two texts of the same number make equal values, and the canonical text has no exponent, no leading and
/// no trailing zeros. Source: DynamoDB Developer Guide, "Supported data types and naming rules".
struct Decimal: Hashable, Sendable {
    /// A text that is no such number; the message is the service's.
    struct Failure: Error {
        /// The service's words.
        let message: String
    }

    /// Whether the number is below zero.
    let isNegative: Bool
    /// The significant digits, each 0...9, without zeros at either end; empty for zero.
    let digits: [UInt8]
    /// The power of ten of the first digit; 0 for zero.
    let exponent: Int

    /// Reads digits with an optional sign, point and exponent.
    /// - Throws: `Failure` for what is not a number, is too large, too small or too precise.
    init(_ text: Text) throws(Failure) {
        guard let (negative, written, scale) = Self.split(text.utf8) else {
            throw Failure(
                message: "The parameter cannot be converted to a numeric value"
                    + (text.utf8.isEmpty ? "" : ": \(text)"))
        }
        let significant = Array(written.drop { $0 == 0 })
        let trimmed = Array(significant.reversed().drop { $0 == 0 }.reversed())
        guard !trimmed.isEmpty else {
            (isNegative, digits, exponent) = (false, [], 0)
            return
        }
        // `scale` is the power of ten of the last written digit.
        let exponent = scale + significant.count - 1
        guard exponent <= 125 else {
            throw Failure(
                message: "Number overflow. Attempting to store a number with magnitude larger than "
                    + "supported range")
        }
        guard exponent >= -130 else {
            throw Failure(
                message:
                    "Number underflow. Attempting to store a number with magnitude smaller than "
                    + "supported range")
        }
        guard trimmed.count <= 38 else {
            throw Failure(
                message: "Attempting to store more than 38 significant digits in a Number")
        }
        (isNegative, digits, self.exponent) = (negative, trimmed, exponent)
    }

    /// The sign, all digits in order, and the power of ten of the last one.
    private static func split(
        _ text: [UInt8]
    ) -> (negative: Bool, digits: [UInt8], scale: Int)? {
        var rest = text[...]
        let negative = rest.first == UInt8(ascii: "-")
        if negative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        var digits: [UInt8] = []
        var scale = 0
        var hasPoint = false
        while let byte = rest.first {
            if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else if (0x30...0x39).contains(byte) {
                digits.append(byte - 0x30)
                if hasPoint { scale -= 1 }
            } else {
                break
            }
            rest = rest.dropFirst()
        }
        guard !digits.isEmpty else { return nil }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            // Longer exponents would not fit: they are as far out of range as this bound.
            guard let power = Int(String(decoding: rest.dropFirst(), as: UTF8.self)) else {
                return nil
            }
            scale += min(max(power, -1_000_000), 1_000_000)
            rest = []
        }
        return rest.isEmpty ? (negative, digits, scale) : nil
    }

    /// The canonical text, such as `-12.5`.
    var text: Text {
        guard !digits.isEmpty else { return "0" }
        var text: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
        let figures = digits.map { $0 + 0x30 }
        let zero = UInt8(ascii: "0")
        let wholeCount = exponent + 1
        if wholeCount <= 0 {
            text +=
                [zero, UInt8(ascii: ".")] + Array(repeating: zero, count: -wholeCount) + figures
        } else if wholeCount >= figures.count {
            text += figures + Array(repeating: zero, count: wholeCount - figures.count)
        } else {
            text += figures[..<wholeCount] + [UInt8(ascii: ".")] + figures[wholeCount...]
        }
        return Text(utf8: text)
    }

    /// Bytes whose order is the order of the numbers.
    var sortKey: [UInt8] {
        guard !digits.isEmpty else { return [0x80] }
        let place = UInt16(exponent + 1_000)
        let magnitude = [UInt8(place >> 8), UInt8(place & 0xFF)] + digits.map { $0 + 1 } + [0]
        return isNegative ? [0x7F] + magnitude.map { ~$0 } : [0x81] + magnitude
    }

    /// The bytes that count towards an item's size: one for two digits, and one more.
    ///
    /// Source: DynamoDB Developer Guide, "DynamoDB item sizes and formats"; compared with sizes recorded
    /// on AWS.
    var size: Int { 1 + (digits.count + 1) / 2 }
}
