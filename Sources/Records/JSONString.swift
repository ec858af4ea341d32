/// A string of a JSON text, as offsets.
struct JSONString {
    /// The bytes between the quotes, escapes not decoded.
    let range: ByteRange
    /// Whether there are escapes among them.
    let hasEscapes: Bool

    /// Calls `plain` for each run of bytes that stand for themselves and `escaped` for each character
    /// that is written as an escape, in their order; two escapes that are a surrogate pair are one character.
    ///
    /// `escaped` gets a surrogate where the string holds one without its other half.
    ///
    /// - Throws: `MalformedJSON` where the plain bytes are not UTF-8.
    private func forEachPart(
        in bytes: UnsafeRawBufferPointer, plain: (ByteRange) -> Void, escaped: (UInt32) -> Void
    ) throws(MalformedJSON) {
        if let offset = bytes.malformedUTF8(in: range) {
            throw MalformedJSON("a string is not UTF-8", at: offset)
        }
        guard hasEscapes else { return plain(range) }
        var here = range.start
        var plainStart = here
        while here < range.end {
            guard bytes[here] == UInt8(ascii: "\\") else {
                here += 1
                continue
            }
            plain(ByteRange(plainStart, here))
            escaped(character(in: bytes, at: &here))
            plainStart = here
        }
        plain(ByteRange(plainStart, range.end))
    }

    /// Decodes the escape at `here`, which the walk has found to be a good one, and moves over it.
    private func character(in bytes: UnsafeRawBufferPointer, at here: inout Int) -> UInt32 {
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
        guard (0xd800..<0xdc00).contains(unit), range.end - here >= 6,
            bytes[here] == UInt8(ascii: "\\"), bytes[here + 1] == UInt8(ascii: "u"),
            let low = bytes.hexadecimal(at: here + 2), (0xdc00..<0xe000).contains(low)
        else { return unit }
        here += 6
        return 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
    }

    /// Appends the string's text in UTF-8.
    ///
    /// Half a surrogate pair, which UTF-8 cannot hold, becomes U+FFFD, as in Node's `Buffer.from(text)`.
    ///
    /// - Throws: `MalformedJSON` where the string is not UTF-8; part of it may have been appended.
    func appendText(
        from bytes: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(MalformedJSON) {
        try forEachPart(
            in: bytes, plain: { output.append(contentsOf: bytes[$0.indices]) },
            escaped: { output.append(character: Unicode.Scalar($0) ?? "\u{fffd}") })
    }

    /// Appends the string as `JSON.stringify` writes it, quotes included.
    ///
    /// Escaped are the quote, the backslash, characters below U+0020 and halves of surrogate pairs
    /// (ECMA-262, QuoteJSONString); all else is literal.
    ///
    /// - Throws: `MalformedJSON` where the string is not UTF-8; part of it may have been appended.
    func appendCanonical(
        from bytes: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(MalformedJSON) {
        output.append(UInt8(ascii: "\""))
        try forEachPart(
            in: bytes, plain: { output.append(contentsOf: bytes[$0.indices]) },
            escaped: { output.append(escaping: $0) })
        output.append(UInt8(ascii: "\""))
    }

    /// Whether the string's text is `name`, character by character.
    ///
    /// `String`'s own `==` will not do: it takes different characters that look alike for the same.
    @inline(__always)
    func isText(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> Bool {
        hasEscapes
            ? isText(String(describing: name).utf8, in: bytes) : bytes.matches(range, name)
    }

    /// Whether the string's text is `name`, byte by byte in UTF-8.
    func isText(_ name: some Collection<UInt8>, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard hasEscapes else { return bytes[range.indices].elementsEqual(name) }
        var text: [UInt8] = []
        guard (try? appendText(from: bytes, to: &text)) != nil else { return false }
        return text.elementsEqual(name)
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
