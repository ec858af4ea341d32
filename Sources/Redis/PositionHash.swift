import FoundationEssentials
import Records
package import Walk

/// The hash that holds the positions of one stream: a field for each shard, and a few that say whose they are.
///
/// All of it lies in one slot of a cluster, that of the daemon's name.
package struct PositionHash: Sendable {
    /// The fields that are no shard's; names of shards begin otherwise.
    enum Field: String, CaseIterable {
        /// The stream's ARN and where its reading began, as JSON: without it the hash is not whole.
        case stream
        /// A number that grows whenever the stream is taken up: by a process when it starts, and over each new connection.
        case generation
        /// The process that took it up last, by a random name.
        case owner
        /// The connection that the positions are written over.
        case client
        /// When the last sign of life was written, in seconds since 1970.
        case beat
    }

    /// What is in the hash.
    package struct Content: Equatable, Sendable {
        /// Where the reading of the stream began; nil where the hash is not whole.
        package var beginning: Checkpoint.Beginning?
        /// The positions of shards.
        package var positions: [ShardID: Position] = [:]
        /// When the last sign of life was written, in seconds since 1970.
        package var beat: Double?

        /// Whether every shard that is known was read to its end.
        package var isFinished: Bool {
            !positions.isEmpty && positions.values.allSatisfy { $0 == .end }
        }

        /// The content of a hash.
        package init(
            beginning: Checkpoint.Beginning? = nil, positions: [ShardID: Position] = [:],
            beat: Double? = nil
        ) {
            self.beginning = beginning
            self.positions = positions
            self.beat = beat
        }
    }

    private struct Origin: Codable {
        var arn: String
        var beginning: Checkpoint.Beginning
    }

    /// What fields begin with that a later version may add.
    private static let reserved = "shardwalk."
    /// How many fields are written by one command: serverless caches take less than 4,000 arguments.
    private static let fieldsAtOnce = 1_000

    /// The stream whose positions these are.
    let stream: StreamARN
    /// The hash's key.
    let key: String
    /// The key of the set that names all streams with such a hash.
    let indexKey: String

    /// The hash of a stream under a daemon's name.
    init(of stream: StreamARN, name: String) {
        self.stream = stream
        key = "shardwalk:{\(name)}:\(stream.label)"
        indexKey = Self.indexKey(name: name)
    }

    /// The key of the set that names all streams of a daemon whose positions are held.
    static func indexKey(name: String) -> String { "shardwalk:{\(name)}:streams" }

    /// Reads the answer to HGETALL.
    ///
    /// - Throws: `denied` where the hash holds something else than positions of this stream.
    func content(of reply: Reply) throws(SinkError) -> Content {
        guard case .array(let elements) = reply else { throw strange("its fields can't be read") }
        var content = Content()
        for index in stride(from: 0, to: elements.count - 1, by: 2) {
            guard let name = elements[index].text, let value = elements[index + 1].text else {
                throw strange("its fields can't be read")
            }
            switch Field(rawValue: name) {
            case .stream: content.beginning = try beginning(in: value)
            case .generation, .client, .owner: break
            case .beat: content.beat = Double(value).flatMap { $0.isFinite ? $0 : nil }
            // What a later version may add.
            case nil where name.hasPrefix(Self.reserved): break
            case nil:
                guard let position = Position(cached: value) else {
                    throw strange("its field \(name.line(bytesMax: 100)) holds no position")
                }
                content.positions[ShardID(name)] = position
            }
        }
        return content
    }

    /// The commands that replace all of the hash.
    func replacement(
        by memory: Checkpoint.Stream, generation: Int, owner: String, client: String?,
        time: Double
    ) -> [[String]] {
        let origin = Origin(arn: stream.description, beginning: memory.beginning)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let json = try? encoder.encode(origin) else {
            preconditionFailure("a beginning of finite numbers is always JSON")
        }
        var fields = [
            (Field.stream.rawValue, String(decoding: json, as: UTF8.self)),
            (Field.generation.rawValue, String(generation)), (Field.owner.rawValue, owner),
            (Field.beat.rawValue, String(time)),
        ]
        if let client { fields.append((Field.client.rawValue, client)) }
        for (id, shard) in memory.shards.sorted(by: { $0.key < $1.key }) {
            if let position = shard.position.cached { fields.append((id.description, position)) }
        }
        var commands = [["DEL", key]]
        var rest = fields[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.fieldsAtOnce)
            rest.removeFirst(part.count)
            commands.append(["HSET", key] + part.flatMap { [$0.0, $0.1] })
        }
        return commands
    }

    private func beginning(in text: String) throws(SinkError) -> Checkpoint.Beginning {
        guard let origin = try? JSONDecoder().decode(Origin.self, from: Data(text.utf8)) else {
            throw strange("its field \(Field.stream.rawValue) can't be read")
        }
        guard origin.arn == stream.description else {
            throw strange("it belongs to \(origin.arn.line(bytesMax: 300))")
        }
        return origin.beginning
    }

    private func strange(_ what: String) -> SinkError {
        SinkError(
            .denied,
            "the key \(key) does not hold the positions of \(stream): \(what); give this shardwalk another name, or DEL the key to have the cache filled again"
        )
    }
}
