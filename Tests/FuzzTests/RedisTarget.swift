import Foundation
import Walk

@testable import Redis

/// The replies are the same however their bytes come in, and refusals are fit for a log.
enum RedisTarget {
    /// Reads what a server sends: a first byte for the size of the parts that it comes in, then the replies.
    static func read(_ input: [UInt8]) throws {
        guard let first = input.first else { return }
        let bytes = Array(input.dropFirst())
        let whole = try replies(to: bytes, by: max(1, bytes.count))
        let parts = try replies(to: bytes, by: 1 + Int(first) % 16)
        try expect(whole.replies == parts.replies, "the replies depend on how they come in")
        try expect(whole.hasFailed == parts.hasFailed, "the failure depends on how it comes in")
        for reply in whole.replies { try check(reply) }
    }

    private static func replies(
        to bytes: [UInt8], by size: Int
    ) throws -> (replies: [Reply], hasFailed: Bool) {
        let reader = ReplyReader()
        var replies: [Reply] = []
        var rest = bytes[...]
        do throws(SinkError) {
            while !rest.isEmpty {
                let part = rest.prefix(size)
                rest = rest.dropFirst(size)
                let outcome = part.withUnsafeBytes { part in
                    Result { () throws(SinkError) in try reader.feed(part) }
                }
                try outcome.get()
                while let reply = try reader.next() { replies.append(reply) }
            }
            return (replies, false)
        } catch {
            return (replies, true)
        }
    }

    private static func check(_ reply: Reply) throws {
        switch reply {
        case .error(let error):
            try expectLine("\(error.sinkError(for: "SET"))", bytesMax: 1_000, "the refusal")
        case .array(let replies): for reply in replies { try check(reply) }
        case .bytes(let bytes): _ = ServerInfo(info: String(decoding: bytes, as: UTF8.self))
        case .status, .integer, .null: break
        }
    }
}
