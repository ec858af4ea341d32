/// A place in a JSON text, moved over one value after the other.
///
/// It reads the bytes where they are and builds nothing: what it finds it gives as offsets. It takes any
/// bytes at all: it checks the grammar (RFC 8259) and every end, nests to `depthLimit`, never looks at
/// a byte more than a fixed number of times, and throws where the text is wrong.
///
/// Unsafe: this file and `JSONCursor+Walk.swift` read through a raw pointer, and so are the two to
/// look at when memory is in doubt. Whoever makes a cursor keeps the bytes alive while it is used.
struct JSONCursor {
    /// How many objects and arrays may lie inside each other.
    ///
    /// An image reaches about 70: DynamoDB nests attributes 32 deep, and each takes two levels of JSON.
    static let depthLimit = 512

    /// The whole text.
    let bytes: UnsafeRawBufferPointer
    /// Where the cursor stands.
    var offset: Int
    /// How many objects and arrays the cursor has entered.
    private(set) var depth = 0

    /// A cursor at the start of a text.
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        offset = 0
    }

    /// A cursor at the start of a part of a text.
    ///
    /// It may read on to the end of the whole text.
    init(_ bytes: UnsafeRawBufferPointer, at range: ByteRange) {
        precondition(range.end <= bytes.count)
        self.bytes = bytes
        offset = range.start
    }

    /// Moves over white space and gives the byte after it.
    @inline(__always)
    mutating func peek() throws(MalformedJSON) -> UInt8 {
        while offset < bytes.count {
            let byte = bytes[offset]
            guard byte <= 0x20 else { return byte }
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else {
                throw MalformedJSON("a control character lies between two values", at: offset)
            }
            offset &+= 1
        }
        throw MalformedJSON("the text ends too early", at: offset)
    }

    /// Moves over white space and one byte that must be there.
    @inline(__always)
    mutating func take(_ wanted: UInt8, _ problem: StaticString) throws(MalformedJSON) {
        guard try peek() == wanted else { throw failure(problem) }
        offset &+= 1
    }

    /// Checks that nothing but white space is left.
    mutating func finish() throws(MalformedJSON) {
        while offset < bytes.count {
            guard [0x20, 0x0a, 0x0d, 0x09].contains(bytes[offset]) else {
                throw failure("something follows the end of the value")
            }
            offset += 1
        }
    }

    /// A failure at the place of the cursor.
    @inline(never)
    func failure(_ problem: StaticString) -> MalformedJSON {
        MalformedJSON("\(problem)", at: offset)
    }

    /// Enters an object and calls `body` with the name of each member, the cursor before its value.
    ///
    /// `body` moves the cursor over the value.
    @inline(__always)
    mutating func forEachMember(
        _ body: (inout JSONCursor, JSONString) throws(MalformedJSON) -> Void
    ) throws(MalformedJSON) {
        try enter(UInt8(ascii: "{"), "an object is missing")
        if try peek() == UInt8(ascii: "}") { return leave() }
        while true {
            let name = try string()
            try take(UInt8(ascii: ":"), "a colon is missing")
            try body(&self, name)
            switch try peek() {
            case UInt8(ascii: ","): offset &+= 1
            case UInt8(ascii: "}"): return leave()
            default: throw failure("an object does not go on with a comma or a brace")
            }
        }
    }

    /// Enters an array and calls `body` before each element; `body` moves the cursor over it.
    @inline(__always)
    mutating func forEachElement(
        _ body: (inout JSONCursor) throws(MalformedJSON) -> Void
    ) throws(MalformedJSON) {
        try enter(UInt8(ascii: "["), "an array is missing")
        if try peek() == UInt8(ascii: "]") { return leave() }
        while true {
            try body(&self)
            switch try peek() {
            case UInt8(ascii: ","): offset &+= 1
            case UInt8(ascii: "]"): return leave()
            default: throw failure("an array does not go on with a comma or a bracket")
            }
        }
    }

    @inline(__always)
    private mutating func enter(_ opening: UInt8, _ problem: StaticString) throws(MalformedJSON) {
        try take(opening, problem)
        depth &+= 1
        guard depth <= Self.depthLimit else { throw failure("the text nests too deep") }
    }

    @inline(__always)
    private mutating func leave() {
        offset &+= 1
        depth &-= 1
    }

    /// Moves over a string.
    mutating func string() throws(MalformedJSON) -> JSONString {
        guard try peek() == UInt8(ascii: "\"") else { throw failure("a string is missing") }
        var form = AnyForm()
        return try string(noting: &form)
    }

    /// Moves over a value of any kind, and says where it is.
    mutating func value() throws(MalformedJSON) -> ByteRange {
        var form = AnyForm()
        return try value(noting: &form)
    }
}
