import CHiredis
import Walk

/// The parser of replies: hiredis' reader on its own, opens CHiredis.
///
/// It is used by one thread at a time, and after any error it is of no more use, nor is its connection.
final class ReplyReader {
    /// The most bytes that may come in without completing a reply.
    static let replyBytesMax = 64 << 20
    /// The most elements that one reply's lists may have, all together.
    ///
    /// Lists are laid out when they are announced, so that a few bytes could ask for any amount of memory. The longest
    /// list that is ever asked for is that of the demo's keys.
    static let replyElementsMax = 1 << 20

    /// hiredis' own functions (`defaultFunctions`, found in a reader).
    private static let standard = {
        guard let reader = redisReaderCreate() else { preconditionFailure("out of memory") }
        defer { redisReaderFree(reader) }
        return reader.pointee.fn.pointee
    }()

    /// The same with a look at the length of a list before it is laid out: one that is too long is refused as if there
    /// were no memory for it.
    ///
    /// Every reader points to them, so they are never freed.
    nonisolated(unsafe) private static let functions = {
        let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        functions.initialize(to: standard)
        functions.pointee.createArray = { task, count in
            guard let left = task?.pointee.privdata?.assumingMemoryBound(to: Int.self) else {
                return nil
            }
            left.pointee -= Int(count)
            return left.pointee < 0 ? nil : ReplyReader.standard.createArray(task, count)
        }
        return functions
    }()

    private let reader: UnsafeMutablePointer<redisReader>
    /// How many more elements the lists of this reply may have; the reader's tasks point to it.
    private let elementsLeft = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    private var incompleteBytes = 0
    private var isFirst = true

    /// A reader for the replies of one connection (`redisReaderCreateWithFunctions`).
    init() {
        guard let reader = redisReaderCreateWithFunctions(Self.functions) else {
            preconditionFailure("out of memory")
        }
        self.reader = reader
        elementsLeft.initialize(to: Self.replyElementsMax)
        reader.pointee.privdata = UnsafeMutableRawPointer(elementsLeft)
    }

    deinit {
        redisReaderFree(reader)
        elementsLeft.deallocate()
    }

    /// Takes bytes in (`redisReaderFeed`).
    ///
    /// - Throws: `unavailable` where they cannot be replies of a Redis server, or one reply is too long.
    func feed(_ bytes: UnsafeRawBufferPointer) throws(SinkError) {
        guard let first = bytes.first else { return }
        if isFirst, let stranger = Self.stranger(beginningWith: first) {
            throw SinkError(.unavailable, stranger)
        }
        isFirst = false
        incompleteBytes += bytes.count
        guard incompleteBytes <= Self.replyBytesMax else {
            throw SinkError(.unavailable, "a reply is longer than \(Self.replyBytesMax) bytes")
        }
        let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        guard redisReaderFeed(reader, start, bytes.count) == REDIS_OK else { throw failure() }
    }

    /// The next complete reply, or nil where more bytes are needed (`redisReaderGetReply`).
    ///
    /// - Throws: `unavailable` where the bytes are not the Redis protocol, or announce a list that is too long.
    func next() throws(SinkError) -> Reply? {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else { throw failure() }
        guard let raw else { return nil }
        defer { freeReplyObject(raw) }
        incompleteBytes = 0
        elementsLeft.pointee = Self.replyElementsMax
        return Self.copy(raw.assumingMemoryBound(to: redisReply.self))
    }

    /// Copies a reply; the parser admits no more than nine levels of arrays.
    private static func copy(_ reply: UnsafePointer<redisReply>) -> Reply {
        let raw = reply.pointee
        var bytes: UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: raw.str, count: raw.str == nil ? 0 : Int(raw.len))
        }
        switch raw.type {
        case REDIS_REPLY_STATUS: return .status(String(decoding: bytes, as: UTF8.self))
        case REDIS_REPLY_ERROR: return .error(ReplyError(String(decoding: bytes, as: UTF8.self)))
        case REDIS_REPLY_INTEGER: return .integer(raw.integer)
        case REDIS_REPLY_ARRAY:
            let elements = UnsafeBufferPointer(start: raw.element, count: Int(raw.elements))
            return .array(elements.map { $0.map { copy($0) } ?? .null })
        case REDIS_REPLY_STRING: return .bytes([UInt8](bytes))
        // REDIS_REPLY_NIL; other types need HELLO 3, which is never sent.
        default: return .null
        }
    }

    /// What answers when the first byte is not one that a reply can begin with.
    private static func stranger(beginningWith byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "$"),
            UInt8(ascii: "*"):
            nil
        case UInt8(ascii: "H"): "an HTTP server answers there, not Redis: check host and port"
        // Source: RFC 8446, 5.1: a record that is an alert or a handshake message.
        case 0x15, 0x16: "a TLS server answers there: use rediss://"
        default: "what answers there does not speak the Redis protocol: check host and port"
        }
    }

    /// The reader's own words; what it quotes is one byte of a reply's framing.
    private func failure() -> SinkError {
        guard elementsLeft.pointee >= 0 else {
            return SinkError(
                .unavailable, "a reply has more than \(Self.replyElementsMax) elements")
        }
        let words = withUnsafeBytes(of: reader.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return SinkError(.unavailable, "the server's replies cannot be read: \(words)")
    }
}
