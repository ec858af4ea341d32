package import AWS

/// An emulator of DynamoDB and DynamoDB Streams, over HTTP on loopback.
///
/// Made for demonstrations and tests of programs that read streams: tables keep their items in memory, and
/// the shards of a stream roll over and split as they do on AWS, only more often. It promises that what it
/// answers, AWS might have answered, to the byte for the errors that are known; it keeps nothing on disk,
/// and forgets everything when it stops. The service itself is a value (`Service`) without clock or
/// network, so that the same seed, operations and times give the same answers.
package final class LocalStreams: Sendable {
    /// Where the emulator can be reached, such as `http://127.0.0.1:8000`.
    package let endpoint: String
    private let listener: Listener
    private let front: Front

    private init(_ listener: Listener, _ front: Front) {
        self.listener = listener
        self.front = front
        endpoint = "http://127.0.0.1:\(listener.port)"
    }

    /// Starts an emulator without tables.
    /// - Throws: `ListenerError` where the port cannot be had.
    package static func start(
        _ configuration: Configuration = Configuration()
    ) async throws -> LocalStreams {
        let front = Front(
            configuration.settings, seed: configuration.seed, speed: configuration.speed,
            authorization: configuration.checksSignatures
                ? Authorization(
                    credentials: configuration.credentials, region: configuration.region) : nil)
        front.set(configuration.faults)
        let listener = try Listener(port: configuration.port) { front.answer($0) }
        return LocalStreams(listener, front)
    }

    /// Stops listening and cuts all connections.
    package func stop() async { await listener.stop() }

    // MARK: What only an emulator can do

    /// The names of the open shards of a table's stream; none where there is no such stream.
    package func openShards(of table: String) -> [String] {
        front.withService { $0.openStream(of: table)?.open ?? [] }
    }

    /// Closes every open shard of every stream, and opens a child for each.
    package func rollOver() {
        front.withService { $0.rollOver() }
    }

    /// Closes a shard and opens two or more children that share its keys.
    /// - Returns: false where there is no such open shard.
    @discardableResult
    package func split(_ shard: String, into count: Int = 2) -> Bool {
        precondition(count > 1, "a split gives children")
        return front.withService { $0.split(shard, into: count) }
    }

    /// Closes a shard and opens no child: one comes when a key of the shard is written to again, and never if none is.
    /// - Returns: false where there is no such open shard.
    @discardableResult
    package func closeWithoutChild(_ shard: String) -> Bool {
        front.withService { $0.closeWithoutChild(shard) }
    }

    /// Replaces everything that goes wrong; a script counts its time from now.
    package func set(_ faults: Faults) { front.set(faults) }

    /// From now on requests have to be signed with other keys.
    ///
    /// Those before them are answered with `ExpiredTokenException`.
    package func replaceKeys(with credentials: Credentials) {
        front.replaceKeys(with: credentials)
    }

    /// Sets the emulator's clock forward: iterators expire, shards roll over and records are trimmed as
    /// if that time had passed.
    ///
    /// Signatures go by the real clock.
    package func advance(by duration: Duration) {
        front.jump(milliseconds: duration.milliseconds)
    }
}
