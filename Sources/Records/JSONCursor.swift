/// A place in a JSON text, moved over one value after the other.
///
/// It reads the bytes where they are and builds nothing: what it finds it gives as offsets. It takes any
/// bytes at all: it checks the grammar (RFC 8259) and every end, nests to `depthLimit`, and looks at no
/// byte more than a fixed number of times. Where the text is wrong it throws, and stands at the wrong byte.
///
/// Unsafe: this file, `JSONCursor+Walk.swift`, `JSONForm.swift` and `Bytes.swift` read through pointers whose bounds only debug builds check. Whoever makes a cursor
/// keeps the bytes alive while it is used.
struct JSONCursor {
    /// How many objects and arrays may lie inside each other.
    ///
    /// An image reaches about 70: DynamoDB nests attributes 32 deep, and each takes two levels of JSON.
    static let depthLimit = 512

    /// The whole text.
    let bytes: UnsafeBufferPointer<UInt8>
    /// Where the cursor stands.
    var offset: Int
    /// How many objects and arrays the cursor has entered.
    private(set) var depth = 0

    /// A cursor at the start of a text.
    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        offset = 0
    }

    /// A cursor at the start of a part of a text.
    ///
    /// It may read on to the end of the whole text.
    init(_ bytes: UnsafeBufferPointer<UInt8>, at range: ByteRange) {
        precondition(range.end <= bytes.count)
        self.bytes = bytes
        offset = range.start
    }

    /// Moves over white space and gives the byte after it.
    @inline(__always)
    mutating func peek() throws(MalformedJSON.Problem) -> UInt8 {
        while offset < bytes.count {
            let byte = bytes[offset]
            guard byte <= 0x20 else { return byte }
            guard Self.isWhiteSpace(byte) else { throw .controlCharacter }
            offset &+= 1
        }
        throw .textEnds
    }

    @inline(__always)
    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
    }

    /// Checks that nothing but white space is left.
    mutating func finish() throws(MalformedJSON.Problem) {
        while offset < bytes.count {
            guard Self.isWhiteSpace(bytes[offset]) else { throw .textGoesOn }
            offset += 1
        }
    }

    /// Enters an object and calls `body` with the name of each member, the cursor before its value.
    ///
    /// `body` moves the cursor over the value.
    @inline(__always)
    mutating func forEachMember(
        _ body: (inout JSONCursor, JSONString) throws(MalformedJSON.Problem) -> Void
    ) throws(MalformedJSON.Problem) {
        guard try peek() == UInt8(ascii: "{") else { throw .noObject }
        try enter()
        if try peek() == UInt8(ascii: "}") { return leave() }
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw .noName }
            let name = try string()
            guard try peek() == UInt8(ascii: ":") else { throw .noColon }
            offset &+= 1
            try body(&self, name)
            switch try peek() {
            case UInt8(ascii: ","): offset &+= 1
            case UInt8(ascii: "}"): return leave()
            default: throw .noComma
            }
        }
    }

    /// Enters an array and calls `body` before each element; `body` moves the cursor over it.
    @inline(__always)
    mutating func forEachElement(
        _ body: (inout JSONCursor) throws(MalformedJSON.Problem) -> Void
    ) throws(MalformedJSON.Problem) {
        guard try peek() == UInt8(ascii: "[") else { throw .noArray }
        try enter()
        if try peek() == UInt8(ascii: "]") { return leave() }
        while true {
            try body(&self)
            switch try peek() {
            case UInt8(ascii: ","): offset &+= 1
            case UInt8(ascii: "]"): return leave()
            default: throw .noComma
            }
        }
    }

    @inline(__always)
    private mutating func enter() throws(MalformedJSON.Problem) {
        guard depth < Self.depthLimit else { throw .nestsTooDeep }
        offset &+= 1
        depth &+= 1
    }

    @inline(__always)
    private mutating func leave() {
        offset &+= 1
        depth &-= 1
    }

    /// Moves over `null`, if that is what comes, and says so.
    @inline(__always)
    mutating func takesNull() throws(MalformedJSON.Problem) -> Bool {
        guard try peek() == UInt8(ascii: "n") else { return false }
        _ = try value()
        return true
    }

    /// Moves over a string.
    mutating func string() throws(MalformedJSON.Problem) -> JSONString {
        guard try peek() == UInt8(ascii: "\"") else { throw .noString }
        var form = AnyForm()
        return try string(noting: &form)
    }

    /// Moves over a value of any kind, and says where it is.
    mutating func value() throws(MalformedJSON.Problem) -> ByteRange {
        var form = AnyForm()
        return try value(noting: &form)
    }
}
