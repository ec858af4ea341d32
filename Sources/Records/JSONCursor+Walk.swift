/// The loops that every byte of a page goes through: over values, over strings.
///
/// Unsafe: see `JSONCursor`.
extension JSONCursor {
    /// Moves over a value of any kind, tells `form` what it meets, and says where the value is.
    ///
    /// There is no recursion: which of the levels are objects is kept as one bit each.
    @inline(__always)
    mutating func value<Form: JSONForm>(
        noting form: inout Form
    ) throws(MalformedJSON.Problem) -> ByteRange {
        var first = try peek()
        let start = offset
        var level = depth
        // One bit per level, 512 in all.
        var objects = InlineArray<8, UInt64>(repeating: 0)
        var isInObject = false
        while true {
            if first == UInt8(ascii: "\"") {
                _ = try string(noting: &form)
            } else if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
                guard level < Self.depthLimit else { throw .nestsTooDeep }
                offset &+= 1
                isInObject = first == UInt8(ascii: "{")
                let bit = UInt64(1) &<< UInt64(level & 63)
                if isInObject {
                    objects[unchecked: level &>> 6] |= bit
                    form.enterObject()
                } else {
                    objects[unchecked: level &>> 6] &= ~bit
                }
                level &+= 1
                // The closing bytes are the opening ones plus two.
                let closing = first &+ 2
                first = try next(noting: &form)
                if first != closing {
                    if isInObject { first = try name(first, noting: &form) }
                    continue
                }
            } else {
                try scalar(first, noting: &form)
            }
            // A value has ended, or the cursor stands at the end of an object or array that is empty.
            while true {
                guard level > depth else { return ByteRange(start, offset) }
                let byte = try next(noting: &form)
                if byte == UInt8(ascii: ",") {
                    offset &+= 1
                    first = try next(noting: &form)
                    if isInObject { first = try name(first, noting: &form) }
                    break
                }
                guard byte == (isInObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw .noComma
                }
                offset &+= 1
                if isInObject { form.leaveObject() }
                level &-= 1
                guard level > depth else { return ByteRange(start, offset) }
                let outer = level &- 1
                isInObject = objects[unchecked: outer &>> 6] &>> UInt64(outer & 63) & 1 == 1
            }
        }
    }

    /// Moves over white space, which is no part of the canonical form, and gives the byte after it.
    @inline(__always)
    private mutating func next<Form: JSONForm>(
        noting form: inout Form
    ) throws(MalformedJSON.Problem) -> UInt8 {
        if offset < bytes.count, bytes[offset] > 0x20 { return bytes[offset] }
        form.isSpoilt()
        return try peek()
    }

    /// Moves over the name of a member and its colon, and gives the first byte of the value.
    @inline(__always)
    private mutating func name<Form: JSONForm>(
        _ first: UInt8, noting form: inout Form
    ) throws(MalformedJSON.Problem) -> UInt8 {
        guard first == UInt8(ascii: "\"") else { throw .noName }
        let name = try string(noting: &form)
        form.meets(name.range, in: bytes)
        guard try next(noting: &form) == UInt8(ascii: ":") else { throw .noColon }
        offset &+= 1
        return try next(noting: &form)
    }

    /// Moves over a string, at whose opening quote the cursor stands.
    @inline(__always)
    mutating func string<Form: JSONForm>(
        noting form: inout Form
    ) throws(MalformedJSON.Problem) -> JSONString {
        let start = offset &+ 1
        var here = start
        var hasEscapes = false
        while true {
            here = bytes.endOfPlainText(from: here, endsAtNonASCII: Form.wantsUTF8)
            guard here < bytes.count else {
                offset = here
                throw .textEnds
            }
            let byte = bytes[here]
            if byte == UInt8(ascii: "\"") {
                offset = here &+ 1
                return JSONString(range: ByteRange(start, here), hasEscapes: hasEscapes)
            }
            if byte >= 0x80 {
                let length = bytes.lengthOfUTF8Sequence(at: here)
                if length == 0 { form.isSpoilt() }
                here &+= max(length, 1)
            } else {
                offset = here
                hasEscapes = true
                if try escape() { form.isSpoilt() }
                here = offset
            }
        }
    }

    /// Moves over an escape and says whether JavaScript would have written it in another way.
    @inline(never)
    private mutating func escape() throws(MalformedJSON.Problem) -> Bool {
        guard bytes[offset] == UInt8(ascii: "\\") else { throw .stringControlCharacter }
        guard bytes.count - offset >= 2 else { throw .textEnds }
        switch bytes[offset + 1] {
        case UInt8(ascii: "u"):
            guard let unit = bytes.hexadecimal(at: offset + 2) else { throw .escapeDigits }
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
            throw .unknownEscape
        }
    }

    /// Moves over a number, `true`, `false` or `null`.
    @inline(never)
    private mutating func scalar<Form: JSONForm>(
        _ first: UInt8, noting form: inout Form
    ) throws(MalformedJSON.Problem) {
        switch first {
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: if try !number() { form.isSpoilt() }
        }
    }

    private mutating func word(_ word: StaticString) throws(MalformedJSON.Problem) {
        let end = offset + word.utf8CodeUnitCount
        guard end <= bytes.count, bytes.matches(ByteRange(offset, end), word) else {
            throw .noValue
        }
        offset = end
    }

    /// Moves over a number and says whether it is an integer of at most 15 digits, which every language
    /// writes in the same way.
    private mutating func number() throws(MalformedJSON.Problem) -> Bool {
        let isNegative = bytes[offset] == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        let first = offset
        try digits(orElse: isNegative ? .noDigits : .noValue)
        let integerEnd = offset
        let hasZero = bytes[first] == UInt8(ascii: "0")
        guard !hasZero || integerEnd == first + 1 else { throw .leadingZero }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try digits(orElse: .noDigits)
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < bytes.count,
                bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-")
            {
                offset += 1
            }
            try digits(orElse: .noDigits)
        }
        return offset == integerEnd && offset - first <= 15 && !(isNegative && hasZero)
    }

    private mutating func digits(
        orElse problem: MalformedJSON.Problem
    ) throws(MalformedJSON.Problem) {
        let start = offset
        while offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") < 10 { offset += 1 }
        guard offset > start else { throw problem }
    }
}
