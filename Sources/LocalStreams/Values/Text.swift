/// A text as its UTF-8 bytes, compared byte by byte.
///
/// `String` takes canonically equivalent texts for equal, and DynamoDB does not: "é" in one code point and
/// in two are different keys, attribute names and set elements.
struct Text: Hashable, Comparable, Sendable {
    /// The bytes of the text.
    let utf8: [UInt8]

    /// The text with these bytes.
    init(utf8: [UInt8]) { self.utf8 = utf8 }

    /// The bytes of `string`.
    init(_ string: String) { utf8 = Array(string.utf8) }

    static func < (left: Text, right: Text) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension Text: ExpressibleByStringLiteral, CustomStringConvertible {
    init(stringLiteral value: String) { self.init(value) }

    var description: String { String(decoding: utf8, as: UTF8.self) }
}
