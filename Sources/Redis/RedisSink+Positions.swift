import Foundation
import Records
import Synchronization
package import Walk

/// What a sink remembers of the hashes that it keeps.
struct KnownPositions {
    /// The streams that this process has taken over.
    var owned: [StreamARN: Ownership] = [:]
    /// What the server said about its memory at the last sign of life.
    var room: Room?

    /// How a stream is this process's.
    struct Ownership {
        /// How often it has been taken over, this time included.
        var generation: Int
        /// The connection that it was taken over by, see ``Session/identity``.
        var client: String?
    }

    /// What tells eviction from a cache that was emptied.
    struct Room: Equatable {
        /// The connection, see ``Session/identity``.
        var identity: String?
        /// How many keys were evicted since the server started.
        var evictedKeys: Int
        /// How many keys there are.
        var keys: Int64

        /// Whether keys have been evicted since `earlier`, and most of the others are still there.
        func hasEvicted(since earlier: Room) -> Bool {
            identity != nil && identity == earlier.identity && evictedKeys > earlier.evictedKeys
                && keys > 0 && keys >= earlier.keys / 2
        }
    }
}

extension RedisSink {
    package var holdsPositions: Bool { positionsName != nil }

    /// The hash of a stream's positions.
    func hash(of stream: StreamARN) -> PositionHash {
        guard let positionsName else { preconditionFailure("no positions are held") }
        return PositionHash(of: stream, name: positionsName)
    }

    /// Takes the stream over from whoever wrote it before, and reads the positions.
    ///
    /// What was sent over an earlier connection, this process's or another one's, is not carried out any more once this
    /// returns: the server ends that connection before it reads the positions. Where it may not (serverless caches
    /// have no CLIENT KILL), what is left of it can be carried out for as long as the server lags.
    ///
    /// - Throws: `foreign` where another process has taken the stream over since this one did; `denied` where the hash
    ///   holds something else.
    package func memory(of stream: StreamARN) async throws(SinkError) -> CacheMemory {
        let hash = hash(of: stream)
        let fields: [PositionHash.Field] = [.generation, .client]
        let first = try await answer(
            to: [["HMGET", hash.key] + fields.map(\.rawValue)], era: nil)
        guard case .array(let values) = first.replies[0], values.count == fields.count else {
            throw Self.mismatch
        }
        let mine = known.withLock { $0.owned[stream]?.generation }
        let found = values[0].text.flatMap { Int($0) }
        if let mine, let found, found > mine {
            throw Batch.foreign("\(hash.key) was taken over by another process")
        }
        if let client = values[1].text { try await end(client, of: first) }
        // A failover may have lost the number that this process gave itself.
        let generation = mine ?? (found ?? 0) + 1
        var own = [PositionHash.Field.generation.rawValue, String(generation)]
        if let identity = first.identity {
            own += [PositionHash.Field.client.rawValue, identity]
        }
        let results = try await transaction(
            [["HSET", hash.key] + own, ["HGETALL", hash.key]], era: first.era)
        let content = try hash.content(of: results[1])
        known.withLock {
            $0.owned[stream] = .init(generation: generation, client: first.identity)
        }
        var memory = CacheMemory(
            era: first.era, beginning: content.beginning, positions: content.positions)
        if content.beginning == nil {
            memory.isEvicted = try await wasEvicted(first)
        }
        return memory
    }

    /// Replaces the hash of a stream's positions.
    package func establish(
        _ stream: StreamARN, _ memory: Checkpoint.Stream, era: Int
    ) async throws(SinkError) {
        let hash = hash(of: stream)
        guard let owned = known.withLock({ $0.owned[stream] }) else {
            preconditionFailure("a stream is taken over before its positions are written")
        }
        _ = try await transaction(
            hash.replacement(
                by: memory, generation: owned.generation, client: owned.client, time: Self.time),
            era: era)
    }

    /// Removes the fields of shards that are over.
    package func forget(
        _ shards: [ShardID], of stream: StreamARN, era: Int
    ) async throws(SinkError) {
        _ = try await answer(
            to: [["HDEL", hash(of: stream).key] + shards.map(\.description)], era: era)
    }

    /// Writes the time into the hash, and sees whether the hash is whole.
    ///
    /// A write, so that a primary that has become a replica is noticed while nothing else is written.
    package func beat(_ stream: StreamARN, era: Int) async throws(SinkError) {
        let key = hash(of: stream).key
        let results = try await transaction(
            [
                ["HEXISTS", key, PositionHash.Field.stream.rawValue],
                ["HSET", key, PositionHash.Field.beat.rawValue, String(Self.time)],
            ], era: era)
        guard results[0] == .integer(1) else {
            throw SinkError(
                .outdated, "Redis has lost the positions, which were written to \(key)")
        }
        let room = try await room(era: era)
        known.withLock { $0.room = room }
    }

    // MARK: Parts

    private static var time: Double { Date().timeIntervalSince1970 }

    private static var mismatch: SinkError {
        SinkError(.unavailable, "the server's replies do not match the commands")
    }

    /// Ends another connection, if it is one to this server.
    private func end(
        _ client: String, of answer: Job.Answer
    ) async throws(SinkError) {
        let (theirs, ours) = (client.split(separator: " "), answer.identity?.split(separator: " "))
        guard let ours, theirs.count == 2, theirs != ours, theirs[0] == ours[0] else { return }
        // Refusals are met by those that may not do this, and where it is gone already.
        _ = try await self.answer(
            to: [["CLIENT", "KILL", "ID", String(theirs[1])]], era: answer.era,
            toleratingRefusals: true)
    }

    /// Whether the hash is missing because the server made room.
    private func wasEvicted(_ answer: Job.Answer) async throws(SinkError) -> Bool {
        guard let before = known.withLock({ $0.room }), let now = try await room(era: answer.era)
        else { return false }
        return now.hasEvicted(since: before)
    }

    private func room(era: Int) async throws(SinkError) -> KnownPositions.Room? {
        let answer = try await answer(
            to: [["INFO", "stats"], ["DBSIZE"]], era: era, toleratingRefusals: true)
        guard let info = answer.replies[0].text, case .integer(let keys) = answer.replies[1],
            let evicted = ServerInfo(info: info).evictedKeys
        else { return nil }
        return KnownPositions.Room(identity: answer.identity, evictedKeys: evicted, keys: keys)
    }

    /// Carries out commands as one transaction, and returns their results.
    private func transaction(
        _ commands: [[String]], era: Int
    ) async throws(SinkError) -> [Reply] {
        let answer = try await answer(to: [["MULTI"]] + commands + [["EXEC"]], era: era)
        guard case .array(let results)? = answer.replies.last, results.count == commands.count
        else { throw Self.mismatch }
        for (result, command) in zip(results, commands) {
            if case .error(let error) = result { throw error.sinkError(for: command[0]) }
        }
        return results
    }

    /// The replies to commands over the connection of an era.
    ///
    /// - Throws: The first refusal among them as well, unless they are tolerated.
    private func answer(
        to commands: [[String]], era: Int?, toleratingRefusals: Bool = false
    ) async throws(SinkError) -> Job.Answer {
        let answer = try await answer(to: .commands(CommandBuffer(commands), era: era))
        guard !toleratingRefusals else { return answer }
        for (reply, command) in zip(answer.replies, commands) {
            if case .error(let error) = reply { throw error.sinkError(for: command[0]) }
        }
        return answer
    }
}

extension RedisSink {
    /// Reads the positions of streams as they are, without taking them over.
    ///
    /// - Throws: As ``memory(of:)`` does.
    package func positions(
        of streams: [StreamARN]
    ) async throws(SinkError) -> [StreamARN: PositionHash.Content] {
        var found: [StreamARN: PositionHash.Content] = [:]
        for stream in streams {
            let hash = hash(of: stream)
            let answer = try await answer(to: [["HGETALL", hash.key]], era: nil)
            found[stream] = try hash.content(of: answer.replies[0])
        }
        return found
    }

    /// The streams that Redis holds positions of under the daemon's name: all keys are looked through for them.
    package func streams() async throws(SinkError) -> [StreamARN] {
        guard let positionsName else { return [] }
        // The name has no character that a pattern gives a meaning to.
        let pattern = PositionHash.prefix(name: positionsName) + "*"
        var streams: Set<StreamARN> = []
        var cursor = "0"
        repeat {
            let scan = try await answer(
                to: [["SCAN", cursor, "MATCH", pattern, "COUNT", "5000"]], era: nil)
            guard case .array(let parts) = scan.replies[0], parts.count == 2,
                let next = parts[0].text, case .array(let keys) = parts[1]
            else { throw Self.mismatch }
            cursor = next
            for key in keys.compactMap(\.text) {
                let field = PositionHash.Field.stream.rawValue
                let origin = try await answer(to: [["HGET", key, field]], era: nil)
                if let stream = origin.replies[0].text.flatMap(PositionHash.stream(in:)) {
                    streams.insert(stream)
                }
            }
        } while cursor != "0"
        return streams.sorted { $0.description < $1.description }
    }
}
