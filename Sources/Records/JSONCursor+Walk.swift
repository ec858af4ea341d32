/// The loops that every byte of a page goes through: over values, over strings.
///
/// Unsafe: see `JSONCursor`. A word of eight bytes is loaded only where eight bytes are left.
extension JSONCursor {
    /// Moves over a value of any kind, tells `form` what it meets, and says where the value is.
    ///
    /// There is no recursion: which of the levels are objects is kept as one bit each.
    @inline(__always)
    mutating func value<Form: JSONForm>(
        noting form: inout Form
    ) throws(MalformedJSON) -> ByteRange {
        var first = try peek()
        let start = offset
        let outside = depth
        var level = outside
        var isObject = InlineArray<8, UInt64>(repeating: 0)
        while true {
            switch first {
            case UInt8(ascii: "\""):
                _ = try string(noting: &form)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard level < Self.depthLimit else { throw failure("the text nests too deep") }
                offset &+= 1
                let isOpeningObject = first == UInt8(ascii: "{")
                let bit = UInt64(1) << UInt64(level & 63)
                if isOpeningObject {
                    isObject[level >> 6] |= bit
                    form.enterObject()
                } else {
                    isObject[level >> 6] &= ~bit
                }
                level &+= 1
                first = try next(noting: &form)
                // '}' and ']' are their opening bytes plus two.
                if first != (isOpeningObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    if isOpeningObject { first = try name(noting: &form) }
                    continue
                }
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                try number(noting: &form)
            default:
                try literal()
            }
            // A value has ended, or the object or array at whose closing byte the cursor stands is empty.
            while true {
                guard level > outside else { return ByteRange(start, offset) }
                let inObject = isObject[(level &- 1) >> 6] >> UInt64((level &- 1) & 63) & 1 == 1
                let byte = try next(noting: &form)
                offset &+= 1
                if byte == UInt8(ascii: ",") {
                    first = try inObject ? name(noting: &form) : next(noting: &form)
                    break
                }
                guard byte == (inObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    offset &-= 1
                    throw failure("an object or array goes on with neither a comma nor its end")
                }
                if inObject { form.leaveObject() }
                level &-= 1
            }
        }
    }

    /// Moves over white space, which is no part of the canonical form, and gives the byte after it.
    @inline(__always)
    private mutating func next<Form: JSONForm>(
        noting form: inout Form
    ) throws(MalformedJSON) -> UInt8 {
        let start = offset
        let byte = try peek()
        if offset != start { form.isSpoilt() }
        return byte
    }

    /// Moves over the name of a member and its colon, and gives the first byte of the value.
    @inline(__always)
    private mutating func name<Form: JSONForm>(
        noting form: inout Form
    ) throws(MalformedJSON) -> UInt8 {
        guard try next(noting: &form) == UInt8(ascii: "\"") else {
            throw failure("a name is missing")
        }
        let name = try string(noting: &form)
        form.meets(name.range, in: bytes)
        guard try next(noting: &form) == UInt8(ascii: ":") else {
            throw failure("a colon is missing")
        }
        offset &+= 1
        return try next(noting: &form)
    }

    /// Moves over a string, at whose opening quote the cursor stands.
    @inline(__always)
    mutating func string<Form: JSONForm>(
        noting form: inout Form
    ) throws(MalformedJSON) -> JSONString {
        let start = offset &+ 1
        offset = start
        var hasEscapes = false
        while true {
            offset = plainEnd(from: offset, endsAtNonASCII: form.isWatching)
            guard offset < bytes.count else { throw failure("the text ends inside a string") }
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                offset &+= 1
                return JSONString(range: ByteRange(start, offset &- 1), hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                if try escape() { form.isSpoilt() }
            case 0..<0x20:
                throw failure("a string holds a control character that is not escaped")
            default:
                let length = bytes.lengthOfUTF8Sequence(at: offset)
                if length == 0 { form.isSpoilt() }
                offset &+= max(length, 1)
            }
        }
    }

    /// The first place from `start` on that holds a quote, a backslash, a control character or, if asked
    /// for, a byte above 0x7f.
    @inline(__always)
    private func plainEnd(from start: Int, endsAtNonASCII: Bool) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        var here = start
        while bytes.count &- here >= 8 {
            let word = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: here, as: UInt64.self))
            // Subtracting borrows into the high bit of each byte that is too small. A borrow can go on
            // into later bytes and mark them wrongly; the first mark is always right.
            let quotes = (word ^ ones &* 0x22) &- ones
            let backslashes = (word ^ ones &* 0x5c) &- ones
            let controls = word &- ones &* 0x20
            var marks = (quotes | backslashes | controls) & ~word & highs
            if endsAtNonASCII { marks |= word & highs }
            if marks != 0 { return here &+ marks.trailingZeroBitCount &>> 3 }
            here &+= 8
        }
        while here < bytes.count {
            let byte = bytes[here]
            if byte < 0x20 || byte == 0x22 || byte == 0x5c || endsAtNonASCII && byte >= 0x80 {
                break
            }
            here &+= 1
        }
        return here
    }

    /// Moves over an escape and says whether JavaScript would have written it in another way.
    private mutating func escape() throws(MalformedJSON) -> Bool {
        guard bytes.count - offset >= 2 else { throw failure("the text ends inside a string") }
        switch bytes[offset + 1] {
        case UInt8(ascii: "u"):
            guard let unit = bytes.hexadecimal(at: offset + 2) else {
                throw failure("an escape has not got four hexadecimal digits")
            }
            let last = bytes[offset + 5]
            offset += 6
            let isShort = [0x08, 0x09, 0x0a, 0x0c, 0x0d].contains(unit)
            return unit >= 0x20 || isShort || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(last)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 2
            return false
        case UInt8(ascii: "/"):
            offset += 2
            return true
        default:
            throw failure("a string holds an unknown escape")
        }
    }

    /// Moves over a number; only integers of at most 15 digits are sure to be canonical.
    private mutating func number<Form: JSONForm>(noting form: inout Form) throws(MalformedJSON) {
        let start = offset
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        let first = offset
        try digits()
        guard bytes[first] != UInt8(ascii: "0") || offset == first + 1 else {
            throw failure("a number begins with a zero too many")
        }
        let integerEnd = offset
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try digits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < bytes.count,
                bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-")
            {
                offset += 1
            }
            try digits()
        }
        let isMinusZero = bytes[start] == UInt8(ascii: "-") && bytes[first] == UInt8(ascii: "0")
        if offset != integerEnd || offset - first > 15 || isMinusZero { form.isSpoilt() }
    }

    private mutating func digits() throws(MalformedJSON) {
        let start = offset
        while offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") < 10 { offset += 1 }
        guard offset > start else { throw failure("a number has not got all its digits") }
    }

    /// Moves over `true`, `false` or `null`.
    private mutating func literal() throws(MalformedJSON) {
        for word: StaticString in ["true", "false", "null"] {
            let count = word.utf8CodeUnitCount
            guard bytes.count - offset >= count else { continue }
            let isHere = (0..<count).allSatisfy { bytes[offset + $0] == word.utf8Start[$0] }
            if isHere {
                offset += count
                return
            }
        }
        throw failure("a value is missing")
    }
}
