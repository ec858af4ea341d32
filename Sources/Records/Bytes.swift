/// Questions about bytes that JSON asks.
///
/// Unsafe: see `JSONCursor`. Each byte is read after a check that it is there, eight at once where eight are.
extension UnsafeBufferPointer<UInt8> {
    /// The eight bytes at `offset`, the first of them lowest.
    @inline(__always)
    private func word(at offset: Int) -> UInt64 {
        assert(offset >= 0 && count - offset >= 8)
        let start = UnsafeRawPointer(baseAddress.unsafelyUnwrapped)
        return UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The first place from `start` on that holds a quote, a backslash, a control character or, if asked
    /// for, a byte above 0x7f; the count of bytes if there is none.
    @inline(__always)
    func endOfPlainText(from start: Int, endsAtNonASCII: Bool) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        var here = start
        while count &- here >= 8 {
            let word = word(at: here)
            // Subtracting borrows into the high bit of each byte that is too small. A borrow can go on
            // into later bytes and mark them wrongly; the first mark is always right.
            let quotes = (word ^ ones &* 0x22) &- ones
            let backslashes = (word ^ ones &* 0x5c) &- ones
            let controls = word &- ones &* 0x20
            var marks = (quotes | backslashes | controls) & ~word
            if endsAtNonASCII { marks |= word }
            marks &= highs
            if marks != 0 { return here &+ marks.trailingZeroBitCount &>> 3 }
            here &+= 8
        }
        while here < count {
            let byte = self[here]
            if byte < 0x20 || byte == 0x22 || byte == 0x5c || endsAtNonASCII && byte >= 0x80 {
                break
            }
            here &+= 1
        }
        return here
    }

    /// The length, 2 to 4, of the UTF-8 sequence that begins with the non-ASCII byte at `offset`; 0 if
    /// it is not well-formed (Unicode Standard, table 3-7: no surrogates, nothing longer than needed).
    func lengthOfUTF8Sequence(at offset: Int) -> Int {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch self[offset] {
        case 0xc2...0xdf: length = 2
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: length = 3
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        case 0xf1...0xf3: length = 4
        default: return 0
        }
        guard count - offset >= length, second.contains(self[offset + 1]) else { return 0 }
        for place in 2..<Swift.max(2, length) where self[offset + place] & 0xc0 != 0x80 {
            return 0
        }
        return length
    }

    /// The offset of the first byte in `range` that is not part of well-formed UTF-8, or nil.
    func malformedUTF8(in range: ByteRange) -> Int? {
        var here = range.start
        while here < range.end {
            if self[here] < 0x80 {
                here += 1
                continue
            }
            let length = lengthOfUTF8Sequence(at: here)
            guard length > 0, here + length <= range.end else { return here }
            here += length
        }
        return nil
    }

    /// The number that four hexadecimal digits at `offset` stand for, or nil if they do not.
    func hexadecimal(at offset: Int) -> UInt32? {
        guard count - offset >= 4 else { return nil }
        var number: UInt32 = 0
        for byte in self[offset..<offset + 4] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                number = number << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
                number = number << 4 | UInt32((byte | 0x20) - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return number
    }

    /// Whether all bytes in `range` are decimal digits.
    @inline(__always)
    func areDigits(_ range: ByteRange) -> Bool {
        var here = range.start
        while here < range.end, self[here] &- UInt8(ascii: "0") < 10 { here &+= 1 }
        return here == range.end
    }

    /// A number that equal names have in common, and others seldom.
    ///
    /// Who wants to can find names that share it: to meet them may cost time, never correctness.
    @inline(__always)
    func fingerprint(of range: ByteRange) -> UInt64 {
        var hash: UInt64 = 0
        var here = range.start
        while range.end &- here > 8 {
            hash = (hash ^ word(at: here)) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash &>> 32
            here &+= 8
        }
        let rest = range.end &- here
        guard rest > 0 else { return hash }
        if count &- here >= 8 { return hash ^ word(at: here) & (~0 &>> UInt64((8 &- rest) &* 8)) }
        for (place, byte) in self[here..<range.end].enumerated() {
            hash ^= UInt64(byte) &<< UInt64(place &* 8)
        }
        return hash
    }

    /// Whether the bytes in `range` are `text`.
    @inline(__always)
    func matches(_ range: ByteRange, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let text = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        var place = 0
        while range.count &- place >= 8 {
            if word(at: range.start &+ place) != text.word(at: place) { return false }
            place &+= 8
        }
        while place < range.count {
            if self[range.start &+ place] != text[place] { return false }
            place &+= 1
        }
        return true
    }
}
