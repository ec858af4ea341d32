/// Numbers as JavaScript has them: every JSON number becomes the nearest double.
enum JSONNumber {
    /// The double next to the number at `range`.
    ///
    /// A number of few digits is one division or multiplication of two doubles that are exact, and so
    /// is rounded once, as it should be (W. D. Clinger, How to read floating point numbers accurately).
    static func double(at range: ByteRange, of bytes: UnsafeBufferPointer<UInt8>) -> Double? {
        var significand = 0.0
        var digitCount = 0
        var exponent = 0
        var here = range.start
        var isInFraction = false
        while here < range.end {
            let byte = bytes[here]
            if byte &- UInt8(ascii: "0") < 10 {
                significand = significand * 10 + Double(byte &- UInt8(ascii: "0"))
                digitCount += 1
                if isInFraction { exponent -= 1 }
            } else if byte == UInt8(ascii: ".") {
                isInFraction = true
            } else {
                break
            }
            here += 1
        }
        if here < range.end, bytes[here] | 0x20 == UInt8(ascii: "e"), range.end - here == 2,
            bytes[here + 1] &- UInt8(ascii: "0") < 10
        {
            exponent += Int(bytes[here + 1] - UInt8(ascii: "0"))
            here = range.end
        }
        guard here == range.end, digitCount <= 15, (-15...15).contains(exponent) else {
            return Double(String(decoding: bytes[range.indices], as: UTF8.self))
        }
        return exponent < 0
            ? significand / powersOfTen[-exponent] : significand * powersOfTen[exponent]
    }

    private static let powersOfTen = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    /// Appends the number at `range`, as `JSON.stringify` writes it.
    ///
    /// That is the shortest text that reads as the same double; minus zero becomes `0`, and what is too
    /// large for a double becomes `null`. Source: ECMA-262, Number::toString.
    static func append(
        _ range: ByteRange, of bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]
    ) {
        guard let number = double(at: range, of: bytes), number.isFinite else {
            return output.append(contentsOf: "null".utf8)
        }
        guard number != 0 else { return output.append(UInt8(ascii: "0")) }
        if number < 0 { output.append(UInt8(ascii: "-")) }
        let (significand, pointPlace) = decimal(number.magnitude)
        let count = significand.count
        switch pointPlace {
        case count...21 where count <= 21:
            output.append(contentsOf: significand)
            output.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: pointPlace - count))
        case 1..<max(count, 1) where pointPlace <= 21:
            output.append(contentsOf: significand[..<pointPlace])
            output.append(UInt8(ascii: "."))
            output.append(contentsOf: significand[pointPlace...])
        case -5...0:
            output.append(contentsOf: "0.".utf8)
            output.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: -pointPlace))
            output.append(contentsOf: significand)
        default:
            output.append(significand[0])
            if count > 1 {
                output.append(UInt8(ascii: "."))
                output.append(contentsOf: significand[1...])
            }
            let exponent = pointPlace - 1
            output.append(contentsOf: (exponent < 0 ? "e" : "e+").utf8)
            output.append(contentsOf: String(exponent).utf8)
        }
    }

    /// The shortest digits of a positive number, without zeros at either end, and how many of them (or,
    /// if more or negative, zeros) lie before the decimal point.
    private static func decimal(_ number: Double) -> (significand: [UInt8], pointPlace: Int) {
        // Swift's own text has the same digits, since both languages ask for the shortest; only its form
        // is different: 100.0, 1e+20, 1.5e-05.
        let parts = number.description.split(separator: "e")
        let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let point = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        var digits = Array(point.joined().utf8)
        var pointPlace = point[0].utf8.count + exponent
        while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
        let zeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
        digits.removeFirst(zeros)
        pointPlace -= zeros
        return (digits, pointPlace)
    }
}
