/// A string of a JSON text, as offsets.
struct JSONString {
    /// The bytes between the quotes, escapes not decoded.
    let range: ByteRange
    /// Whether there are escapes among them.
    let hasEscapes: Bool
}

extension JSONCursor {
    /// Whether the text of `string` is `name`, character by character.
    ///
    /// `String`'s own `==` will not do: it takes different characters that look alike for the same.
    @inline(__always)
    func isText(_ string: JSONString, _ name: StaticString) -> Bool {
        string.hasEscapes
            ? isText(string, String(describing: name).utf8) : bytes.matches(string.range, name)
    }

    /// Whether the text of `string` is `name`, byte by byte in UTF-8.
    func isText(_ string: JSONString, _ name: some Collection<UInt8>) -> Bool {
        guard string.hasEscapes else { return bytes[string.range.indices].elementsEqual(name) }
        var text: [UInt8] = []
        var copy = self
        guard (try? copy.append(textOf: string, to: &text)) != nil else { return false }
        return text.elementsEqual(name)
    }

    /// Appends the text of `string` in UTF-8.
    ///
    /// Half a surrogate pair, which UTF-8 cannot hold, becomes U+FFFD, as in Node's `Buffer.from(text)`.
    ///
    /// - Throws: `notUTF8`, the cursor at the wrong byte; nothing has been appended then.
    mutating func append(
        textOf string: JSONString, to output: inout [UInt8]
    ) throws(MalformedJSON.Problem) {
        try checkUTF8(string.range)
        forEachPart(
            of: string, plain: { output.append(contentsOf: bytes[$0.indices]) },
            escaped: { output.append(character: Unicode.Scalar($0) ?? "\u{fffd}") })
    }

    /// Appends `string` as `JSON.stringify` writes it, quotes included.
    ///
    /// Escaped are the quote, the backslash, characters below U+0020 and halves of surrogate pairs
    /// (ECMA-262, QuoteJSONString); all else is literal.
    ///
    /// - Throws: `notUTF8`, the cursor at the wrong byte; nothing has been appended then.
    mutating func append(
        canonical string: JSONString, to output: inout [UInt8]
    ) throws(MalformedJSON.Problem) {
        try checkUTF8(string.range)
        output.append(UInt8(ascii: "\""))
        forEachPart(
            of: string, plain: { output.append(contentsOf: bytes[$0.indices]) },
            escaped: { output.append(escaping: $0) })
        output.append(UInt8(ascii: "\""))
    }

    private mutating func checkUTF8(_ range: ByteRange) throws(MalformedJSON.Problem) {
        guard let malformed = bytes.malformedUTF8(in: range) else { return }
        offset = malformed
        throw .notUTF8
    }

    /// Calls `plain` for each run of bytes that stand for themselves and `escaped` for each character
    /// that is written as an escape, in their order; two escapes that are a surrogate pair are one character.
    ///
    /// `escaped` gets a surrogate where the string holds one without its other half.
    private func forEachPart(
        of string: JSONString, plain: (ByteRange) -> Void, escaped: (UInt32) -> Void
    ) {
        let range = string.range
        guard string.hasEscapes else { return plain(range) }
        var here = range.start
        var plainStart = here
        while here < range.end {
            guard bytes[here] == UInt8(ascii: "\\") else {
                here += 1
                continue
            }
            plain(ByteRange(plainStart, here))
            escaped(character(at: &here, before: range.end))
            plainStart = here
        }
        plain(ByteRange(plainStart, range.end))
    }

    /// Decodes the escape at `here`, which was checked when the cursor moved over it, and moves `here`.
    private func character(at here: inout Int, before end: Int) -> UInt32 {
        let kind = bytes[here + 1]
        here += 2
        switch kind {
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "n"): return 0x0a
        case UInt8(ascii: "f"): return 0x0c
        case UInt8(ascii: "r"): return 0x0d
        case UInt8(ascii: "u"): break
        default: return UInt32(kind)
        }
        guard let unit = bytes.hexadecimal(at: here) else {
            preconditionFailure("an escape was not checked")
        }
        here += 4
        guard (0xd800..<0xdc00).contains(unit), end - here >= 6,
            bytes[here] == UInt8(ascii: "\\"), bytes[here + 1] == UInt8(ascii: "u"),
            let low = bytes.hexadecimal(at: here + 2), (0xdc00..<0xe000).contains(low)
        else { return unit }
        here += 6
        return 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
    }
}

extension [UInt8] {
    /// Appends a character in UTF-8.
    fileprivate mutating func append(character: Unicode.Scalar) {
        append(contentsOf: UTF8.encode(character) ?? UTF8.encodedReplacementCharacter)
    }

    /// Appends a character, or half a surrogate pair, as `JSON.stringify` writes it.
    fileprivate mutating func append(escaping character: UInt32) {
        switch character {
        case 0x08: append(contentsOf: "\\b".utf8)
        case 0x09: append(contentsOf: "\\t".utf8)
        case 0x0a: append(contentsOf: "\\n".utf8)
        case 0x0c: append(contentsOf: "\\f".utf8)
        case 0x0d: append(contentsOf: "\\r".utf8)
        case 0x22: append(contentsOf: "\\\"".utf8)
        case 0x5c: append(contentsOf: "\\\\".utf8)
        default:
            if character >= 0x20, let scalar = Unicode.Scalar(character) {
                return append(character: scalar)
            }
            let digits = Array("0123456789abcdef".utf8)
            append(contentsOf: "\\u".utf8)
            for shift: UInt32 in [12, 8, 4, 0] {
                append(digits[Int(character >> shift & 0xf)])
            }
        }
    }
}
