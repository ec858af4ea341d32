import FoundationEssentials
import Records

/// What the daemon remembers over a restart: how far each shard of each stream has been applied.
package struct Checkpoint: Equatable, Sendable {
    /// What is remembered of one shard.
    package struct Shard: Equatable, Sendable {
        /// How far the shard has been applied.
        package var position: Position
        /// The shard that it continues.
        package var parent: ShardID?
        /// When the last applied record was made, in seconds since 1970.
        package var recordTime: Double?
        /// When the shard was finished, in seconds since 1970.
        ///
        /// Finished shards are remembered for 48 hours at least: the service lists them for longer than it
        /// keeps their records, and a forgotten one would be read again.
        package var finishedAt: Double?
        /// Why the shard stands still and waits for somebody, if it does.
        package var blocked: String?

        /// A shard at a position.
        package init(
            position: Position, parent: ShardID? = nil, recordTime: Double? = nil,
            finishedAt: Double? = nil, blocked: String? = nil
        ) {
            self.position = position
            self.parent = parent
            self.recordTime = recordTime
            self.finishedAt = finishedAt
            self.blocked = blocked
        }
    }

    /// Changes that were, or may have been, in the stream and can't be read any more.
    package struct Gap: Equatable, Sendable, Codable {
        /// The shard that lost records; nil where the whole stream did.
        package var shard: String?
        /// What was lost, in words.
        package var reason: String
        /// When it was noticed, in seconds since 1970.
        package var noticedAt: Double

        /// A gap that was just noticed.
        package init(shard: ShardID?, reason: String, noticedAt: Double) {
            self.shard = shard?.description
            self.reason = reason
            self.noticedAt = noticedAt
        }
    }

    /// When the reading of a stream began, and where.
    package struct Beginning: Equatable, Sendable, Codable {
        /// When it began, in seconds since 1970.
        package var time: Double
        /// What was made before this time (seconds since 1970) is left out, as the stream was begun at LATEST: 0 where the
        /// records' clock is not known well enough for that; nil where nothing is to be left out.
        package var leftOutBefore: Double?
        /// When the newest shard of that moment was created, in seconds since 1970 by the service's clock; nil where the
        /// shards' names don't say.
        package var newestShardTime: Double?

        /// A beginning.
        package init(
            time: Double, leftOutBefore: Double? = nil, newestShardTime: Double? = nil
        ) {
            self.time = time
            self.leftOutBefore = leftOutBefore
            self.newestShardTime = newestShardTime
        }
    }

    /// What is known of the positions that the cache holds of a stream.
    package enum CachedPositions: Equatable, Sendable, CaseIterable {
        /// None were written there.
        case never
        /// They are written with every change: if there are none any more, the cache was emptied.
        case current
        /// The cache was written to without them: they are old, whatever they say.
        case old
    }

    /// What is remembered of one stream.
    package struct Stream: Equatable, Sendable {
        /// When the reading of the stream began, and where.
        package var beginning: Beginning
        /// The shards by their names.
        package var shards: [ShardID: Shard]
        /// The latest gaps, oldest first, no more than ``Checkpoint/gapsMaximum``.
        package var gaps: [Gap]
        /// Whether the stream was switched off and everything in it is applied.
        package var isDrained: Bool
        /// What is known of the positions that the cache holds.
        package var cached: CachedPositions
        /// How far shards had been applied whose changes the cache has lost, and that are not there again yet.
        package var lost: [ShardID: Position]

        /// A stream with its shards.
        package init(
            beginning: Beginning, shards: [ShardID: Shard] = [:], gaps: [Gap] = [],
            isDrained: Bool = false, cached: CachedPositions = .never,
            lost: [ShardID: Position] = [:]
        ) {
            self.beginning = beginning
            self.shards = shards
            self.gaps = gaps
            self.isDrained = isDrained
            self.cached = cached
            self.lost = lost
        }
    }

    /// How many gaps of a stream are remembered; the first ones are forgotten first.
    package static let gapsMaximum = 100

    /// The daemon's name in its configuration.
    package var name: String
    /// When this was saved, in seconds since 1970.
    package var savedAt: Double
    /// The streams by their names.
    package var streams: [StreamARN: Stream]

    /// A checkpoint of a daemon.
    package init(name: String, savedAt: Double, streams: [StreamARN: Stream] = [:]) {
        self.name = name
        self.savedAt = savedAt
        self.streams = streams
    }
}

/// A checkpoint file whose content can't be used.
package enum CheckpointDamage: Error, Equatable, Sendable {
    /// The file is not a checkpoint of shardwalk's.
    case foreign
    /// The file was written by a newer shardwalk, in this version of the form.
    case newerVersion(Int)
    /// The bytes are not those that were written.
    case checksum
    /// The checksum is right, the content is not: the file was made by something else.
    case content(String)
    /// The file belongs to a daemon of another name.
    case otherName(String)
}

extension Checkpoint {
    /// The version of the form that this program writes.
    package static let version = 1

    // Every version begins like this, and its checksum covers all bytes after it, so that damage and a newer version are
    // never mistaken for each other.
    private static let head = Array(#"{"format":"shardwalk-checkpoint","checksum":"crc32:"#.utf8)

    private static func checksum(of rest: [UInt8]) -> [UInt8] {
        let hex = String(CRC32.checksum(rest), radix: 16)
        return Array((String(repeating: "0", count: 8 - hex.utf8.count) + hex).utf8)
    }

    /// The text of the checkpoint file: a JSON object whose first line names the form, its version and the checksum of
    /// what follows it.
    package func encoded() -> [UInt8] {
        var writer = CheckpointWriter()
        writer.write(self)
        let rest =
            Array("\",\"version\":\(Self.version),\"checkpoint\":\n".utf8) + writer.bytes
            + Array("\n}\n".utf8)
        return Self.head + Self.checksum(of: rest) + rest
    }

    /// Reads the text of a checkpoint file, and throws what is wrong with it.
    package init(decoding bytes: [UInt8], name: String) throws(CheckpointDamage) {
        guard bytes.starts(with: Self.head) else { throw .foreign }
        let rest = Array(bytes.dropFirst(Self.head.count + 8))
        guard bytes.dropFirst(Self.head.count).prefix(8).elementsEqual(Self.checksum(of: rest))
        else { throw .checksum }
        struct Version: Decodable { let version: Int }
        struct Content: Decodable { let checkpoint: CheckpointText }
        let text: CheckpointText
        do {
            let version = try JSONDecoder().decode(Version.self, from: Data(bytes)).version
            guard version <= Self.version else { throw CheckpointDamage.newerVersion(version) }
            text = try JSONDecoder().decode(Content.self, from: Data(bytes)).checkpoint
        } catch {
            throw error as? CheckpointDamage ?? .content("\(error)")
        }
        guard text.name == name else { throw .otherName(text.name) }
        self = try text.checkpoint()
    }
}

/// The checkpoint as it stands in the file.
private struct CheckpointText: Decodable {
    struct Shard: Decodable {
        var position: String
        var sequenceNumber: String?
        var timestamp: Double?
        var parent: String?
        var recordTime: Double?
        var finishedAt: Double?
        var blocked: String?
    }

    struct Stream: Decodable {
        var beginning: Checkpoint.Beginning
        var shards: [String: Shard]
        var gaps: [Checkpoint.Gap]
        var drained: Bool
        var cached: Bool?
        var lost: [String: Shard]?
    }

    var name: String
    var savedAt: Double
    var streams: [String: Stream]

    func checkpoint() throws(CheckpointDamage) -> Checkpoint {
        var result = Checkpoint(name: name, savedAt: savedAt)
        for (arnText, stream) in streams {
            guard let arn = StreamARN(arnText) else { throw .content("\(arnText) is no stream") }
            var shards: [ShardID: Checkpoint.Shard] = [:]
            for (id, shard) in stream.shards {
                guard let position = shard.readPosition else {
                    throw .content("shard \(id) has no position that can be read")
                }
                shards[ShardID(id)] = Checkpoint.Shard(
                    position: position, parent: shard.parent.map(ShardID.init),
                    recordTime: shard.recordTime, finishedAt: shard.finishedAt,
                    blocked: shard.blocked)
            }
            var lost: [ShardID: Position] = [:]
            for (id, shard) in stream.lost ?? [:] {
                guard let position = shard.readPosition else {
                    throw .content("what was lost of shard \(id) can't be read")
                }
                lost[ShardID(id)] = position
            }
            result.streams[arn] = Checkpoint.Stream(
                beginning: stream.beginning, shards: shards, gaps: stream.gaps,
                isDrained: stream.drained,
                cached: stream.cached.map { $0 ? .current : .old } ?? .never, lost: lost)
        }
        return result
    }
}

extension CheckpointText.Shard {
    var readPosition: Position? {
        switch position {
        case "TRIM_HORIZON": .trimHorizon
        case "AT_SEQUENCE_NUMBER": sequenceNumber.flatMap(SequenceNumber.init).map(Position.start)
        case "AT_TIMESTAMP": timestamp.map(Position.since)
        case "AFTER_SEQUENCE_NUMBER":
            sequenceNumber.flatMap(SequenceNumber.init).map(Position.after)
        case "SHARD_END": .end
        default: nil
        }
    }
}
