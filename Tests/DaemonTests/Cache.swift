import Foundation
import LocalRedis
import Logging
import Redis
import TestBed

/// A look at the cache from outside.
struct Cache: Sendable {
    private let sink: RedisSink

    /// A connection to a server, as its default user.
    init(_ server: RedisServer) throws { try self.init(atSocket: server.socketPath) }

    /// A connection to the server that listens on a socket, as its default user.
    init(atSocket path: String) throws {
        let address = try RedisAddress("unix://\(path)")
        sink = try RedisSink(
            RedisConfiguration(address: address),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Every key with its bytes.
    func content() async throws -> [Data: Data] {
        guard case .array(let keys)? = try await sink.replies(to: [["KEYS", "*"]]).first else {
            throw TestBedError("no answer to KEYS")
        }
        let texts = keys.compactMap(\.text)
        var content: [Data: Data] = [:]
        // A pipeline takes 1,000 commands.
        for start in stride(from: 0, to: texts.count, by: 1_000) {
            let part = texts[start..<min(start + 1_000, texts.count)]
            let values = try await sink.replies(to: part.map { ["GET", $0] })
            for (key, value) in zip(part, values) {
                // A key may have gone between the two questions.
                if case .bytes(let bytes) = value { content[Data(key.utf8)] = Data(bytes) }
            }
        }
        return content
    }

    /// Every key with its value in a form that two equal JSON texts share.
    func items() async throws -> [Data: Data] {
        try await content().mapValues(canonical)
    }

    /// The number of keys.
    func count() async throws -> Int { try await content().count }

    /// Removes every key.
    func clear() async throws { _ = try await sink.replies(to: [["FLUSHALL"]]) }

    /// Lets no write be answered from now on, changes the table and returns when a write is under way.
    func holdWrites(_ change: () async throws -> Void = {}) async throws {
        _ = try await sink.replies(to: [["CLIENT", "PAUSE", "3600000", "WRITE"]])
        try await change()
        // Everybody else asks only for what is answered, so the one who waits is the daemon.
        try await wait {
            let clients = try await sink.replies(to: [["INFO", "clients"]]).first?.text ?? ""
            return clients.contains("blocked_clients:") && !clients.contains("blocked_clients:0")
        }
    }

    /// Closes the connection.
    func close() async { await sink.close() }
}

/// A JSON text in a form that it shares with all texts of the same value.
func canonical(_ json: Data) throws -> Data {
    try JSONSerialization.data(
        withJSONObject: try JSONSerialization.jsonObject(with: json, options: .fragmentsAllowed),
        options: [.sortedKeys, .fragmentsAllowed])
}
