/// Questions about bytes that JSON asks.
///
/// Unsafe: reads through raw pointers, each time after a check that the bytes are there.
extension UnsafeRawBufferPointer {
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
        for place in (offset + 2)..<Swift.max(offset + 2, offset + length)
        where self[place] & 0xc0 != 0x80 {
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

    /// A number that equal bytes have in common, and other bytes seldom.
    ///
    /// Who wants to can find bytes that share it: it may cost time to meet such bytes, never correctness.
    @inline(__always)
    func fingerprint(of range: ByteRange) -> UInt64 {
        let prime: UInt64 = 0x9e37_79b9_7f4a_7c15
        var hash = UInt64(truncatingIfNeeded: range.count) &* prime
        var here = range.start
        while range.end &- here >= 8 {
            hash = (hash ^ loadUnaligned(fromByteOffset: here, as: UInt64.self)) &* prime
            hash ^= hash &>> 32
            here &+= 8
        }
        var tail: UInt64 = 0
        while here < range.end {
            tail = tail &<< 8 | UInt64(self[here])
            here &+= 1
        }
        return (hash ^ tail) &* prime
    }

    /// Whether the bytes in `range` are `text`.
    @inline(__always)
    func matches(_ range: ByteRange, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for place in 0..<range.count where self[range.start &+ place] != text.utf8Start[place] {
            return false
        }
        return true
    }
}
