import CHiredis
import Walk

/// The parser of replies: hiredis' reader on its own, opens CHiredis.
///
/// It is used by one thread at a time, and after any error it is of no more use, nor is its connection.
final class ReplyReader {
    /// The most bytes that may come in without completing a reply.
    static let replyBytesMax = 64 << 20

    private let reader: UnsafeMutablePointer<redisReader>
    private var incompleteBytes = 0
    private var isFirst = true

    /// A reader for the replies of one connection (`redisReaderCreate`).
    init() {
        guard let reader = redisReaderCreate() else { preconditionFailure("out of memory") }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    /// Takes bytes in (`redisReaderFeed`).
    ///
    /// - Throws: `unavailable` where they cannot be replies of a Redis server, or one reply is too long.
    func feed(_ bytes: UnsafeRawBufferPointer) throws(SinkError) {
        guard let first = bytes.first else { return }
        if isFirst, let stranger = Self.stranger(beginningWith: first) {
            throw SinkError(.unavailable, "\(stranger): check host and port")
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
    /// - Throws: `unavailable` where the bytes are not the Redis protocol.
    func next() throws(SinkError) -> Reply? {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else { throw failure() }
        guard let raw else { return nil }
        defer { freeReplyObject(raw) }
        incompleteBytes = 0
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
        case UInt8(ascii: "H"): "an HTTP server answers there, not Redis"
        // Source: RFC 8446, 5.1: a record that is an alert or a handshake message.
        case 0x15, 0x16: "a TLS server answers there, and this address asks for Redis without TLS"
        default: "what answers there does not speak the Redis protocol"
        }
    }

    /// The reader's own words; what it quotes is one byte of a reply's framing.
    private func failure() -> SinkError {
        let words = withUnsafeBytes(of: reader.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return SinkError(.unavailable, "the server's replies cannot be read: \(words)")
    }
}
