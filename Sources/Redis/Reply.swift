/// One reply of the server, copied out of the parser's memory.
package enum Reply: Hashable, Sendable {
    /// A short text such as `OK`.
    case status(String)
    /// A number.
    case integer(Int64)
    /// Bytes of any content.
    case bytes([UInt8])
    /// Nothing: no such key, or a transaction that was not run.
    case null
    /// Several replies.
    case array([Reply])
    /// A refusal.
    case error(ReplyError)

    /// The text of a status or of bytes, or nil for any other reply.
    package var text: String? {
        switch self {
        case .status(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .integer, .null, .array, .error: nil
        }
    }
}
