/// Numbers as JavaScript has them: every JSON number becomes the nearest double.
enum JSONNumber {
    /// Appends the number that `digits`, a JSON number, stand for, as `JSON.stringify` writes it.
    ///
    /// That is the shortest text that reads as the same double; minus zero becomes `0`, and what is too
    /// large for a double becomes `null`. Source: ECMA-262, Number::toString.
    static func append(_ digits: Slice<UnsafeRawBufferPointer>, to output: inout [UInt8]) {
        guard let number = Double(String(decoding: digits, as: UTF8.self)), number.isFinite else {
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
