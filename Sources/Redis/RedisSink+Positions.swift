import Foundation
import Records
import Synchronization
package import Walk

/// What a sink remembers of the hashes that it keeps.
struct KnownPositions {
    /// The name of this process among those that take streams up.
    let owner = String(UInt64.random(in: .min ... .max), radix: 16)
    /// The numbers under which this process has taken streams up.
    var generations: [StreamARN: Int] = [:]
    /// What the server said about its memory at the last sign of life of each stream.
    var rooms: [StreamARN: Room] = [:]
    /// The connection over which this process last took a stream up, or tried to, see ``Session/identity``.
    var client: String?

    /// Whether another process has taken a stream up since this one did so.
    ///
    /// Numbers alone don't tell: a claim whose answer was lost is this process's own.
    func isReplaced(in stream: StreamARN, generation: Int, owner: String?) -> Bool {
        guard let mine = generations[stream], owner != self.owner else { return false }
        return generation > mine
    }

    /// What tells eviction from a cache that was emptied.
    struct Room: Equatable {
        /// The server's name for itself since it started.
        var server: Substring?
        /// How many keys were evicted since then.
        var evictedKeys: Int
        /// How many keys there are.
        var keys: Int64

        /// Whether keys have been evicted since `earlier`, and most of the others are still there.
        func hasEvicted(since earlier: Room) -> Bool {
            server != nil && server == earlier.server && evictedKeys > earlier.evictedKeys
                && keys > 0 && keys >= earlier.keys / 2
        }
    }
}

/// Who has taken a stream up: the fields of the hash that keep others out.
private struct Claim {
    /// A number that is higher than those of all who had the stream before.
    var generation: Int
    /// The random name of the process.
    var owner: String
    /// Its connection, see ``Session/identity``; empty where the server does not say.
    var client: String

    /// The command that reads the fields.
    static func reading(_ hash: PositionHash) -> [String] {
        let fields: [PositionHash.Field] = [.generation, .owner, .client]
        return ["HMGET", hash.key] + fields.map(\.rawValue)
    }

    init(generation: Int, owner: String, client: String) {
        (self.generation, self.owner, self.client) = (generation, owner, client)
    }

    /// Reads the answer; a number that no process writes counts as none.
    init(_ reply: Reply) throws(SinkError) {
        guard case .array(let values) = reply, values.count == 3 else { throw Reply.mismatch }
        let number = values[0].text.flatMap { Int($0) } ?? 0
        generation = (0..<(1 << 53)).contains(number) ? number : 0
        owner = values[1].text ?? ""
        client = values[2].text ?? ""
    }

    /// The command that writes the fields.
    func writing(_ hash: PositionHash) -> [String] {
        [
            "HSET", hash.key, PositionHash.Field.generation.rawValue, String(generation),
            PositionHash.Field.owner.rawValue, owner, PositionHash.Field.client.rawValue, client,
        ]
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
    /// returns: the server ends that connection before it reads the positions. Where it may not (a user without CLIENT KILL,
    /// serverless caches), what is left of it can be carried out for as long as the server lags.
    ///
    /// - Throws: `foreign` where another process has taken the stream over since this one did; `denied` where the hash
    ///   holds something else.
    package func memory(of stream: StreamARN) async throws(SinkError) -> CacheMemory {
        let hash = hash(of: stream)
        let first = try await answer(to: [Claim.reading(hash)], era: nil)
        let found = try Claim(first.replies[0])
        let isReplaced = known.withLock { known in
            known.isReplaced(in: stream, generation: found.generation, owner: found.owner)
        }
        if isReplaced { throw Self.replaced(hash) }
        // What this process itself has sent and was not carried out yet would look like somebody else's.
        if let client = known.withLock({ $0.client }) { try await end(client, of: first) }
        known.withLock { $0.client = first.identity }
        try await claim(hash, after: found, over: first)
        let content = try hash.content(
            of: try await transaction([["HGETALL", hash.key]], era: first.era)[0])
        var memory = CacheMemory(
            era: first.era, beginning: content.beginning, positions: content.positions)
        if content.beginning == nil { memory.isEvicted = try await wasEvicted(stream, first) }
        return memory
    }

    /// Writes into the hash that the stream is this process's, and ends the connection of whoever had it.
    ///
    /// Of two who do so at the same moment the later one sees what the other wrote, and is the one that counts. The number never
    /// goes back, whatever Redis loses: it is the time, or one more than what is known.
    private func claim(
        _ hash: PositionHash, after found: Claim, over answer: Job.Answer
    ) async throws(SinkError) {
        let (me, mine) = known.withLock { ($0.owner, $0.generations[hash.stream] ?? 0) }
        let claim = Claim(
            generation: max(found.generation, mine, Int(Self.time * 1_000)) + 1, owner: me,
            client: answer.identity ?? "")
        let results = try await transaction(
            [Claim.reading(hash), claim.writing(hash)], era: answer.era)
        let latest = try Claim(results[0])
        let isReplaced = known.withLock { known in
            known.isReplaced(
                in: hash.stream, generation: latest.generation, owner: latest.owner)
        }
        if isReplaced {
            // Too late: what belongs to the other one is given back.
            _ = try await transaction([latest.writing(hash)], era: answer.era)
            throw Self.replaced(hash)
        }
        known.withLock { $0.generations[hash.stream] = claim.generation }
        try await end(latest.client, of: answer)
        guard latest.generation >= claim.generation else { return }
        // Somebody came in between with a higher number, and would not see that it is over.
        try await self.claim(hash, after: latest, over: answer)
    }

    /// Replaces the hash of a stream's positions.
    package func establish(
        _ stream: StreamARN, _ memory: Checkpoint.Stream, era: Int
    ) async throws(SinkError) {
        let hash = hash(of: stream)
        let known = known.withLock { $0 }
        guard let generation = known.generations[stream] else {
            preconditionFailure("a stream is taken up before its positions are written")
        }
        _ = try await transaction(
            hash.replacement(
                by: memory, generation: generation, owner: known.owner, client: known.client,
                time: Self.time)
                + [["SADD", hash.indexKey, stream.description]], era: era)
    }

    /// Removes the fields of shards that are over.
    package func forget(
        _ shards: [ShardID], of stream: StreamARN, era: Int
    ) async throws(SinkError) {
        _ = try await answer(
            to: [["HDEL", hash(of: stream).key] + shards.map(\.description)], era: era)
    }

    /// Lets the hash of a stream that is over expire.
    package func expire(_ stream: StreamARN, era: Int) async throws(SinkError) {
        _ = try await answer(
            to: [["EXPIRE", hash(of: stream).key, String(Self.keptSeconds)]], era: era)
    }

    /// Writes the time into the hash, and sees whether the hash is whole and still this process's.
    ///
    /// A write, so that a primary that has become a replica is noticed while nothing else is written.
    package func beat(_ stream: StreamARN, era: Int) async throws(SinkError) {
        let hash = hash(of: stream)
        let fields: [PositionHash.Field] = [.stream, .generation, .owner]
        let results = try await transaction(
            [
                ["HMGET", hash.key] + fields.map(\.rawValue),
                ["HSET", hash.key, PositionHash.Field.beat.rawValue, String(Self.time)],
                // Used as often as the hash, so that both are evicted late.
                ["SADD", hash.indexKey, stream.description],
            ], era: era)
        guard case .array(let values) = results[0], values.count == fields.count else {
            throw Reply.mismatch
        }
        guard values[0].text != nil else {
            throw SinkError(
                .outdated, "Redis has lost the positions, which were written to \(hash.key)")
        }
        let isReplaced = known.withLock { known in
            known.isReplaced(
                in: stream, generation: values[1].text.flatMap { Int($0) } ?? 0,
                owner: values[2].text)
        }
        if isReplaced { throw Self.replaced(hash) }
        let room = try await room(era: era)
        known.withLock { $0.rooms[stream] = room }
    }

    /// Reads the positions of a stream as they are, without taking the stream over.
    ///
    /// - Throws: As ``memory(of:)`` does.
    package func positions(
        of stream: StreamARN
    ) async throws(SinkError) -> PositionHash.Content {
        let hash = hash(of: stream)
        return try hash.content(of: try await transaction([["HGETALL", hash.key]], era: nil)[0])
    }

    /// The streams that Redis holds positions of under the daemon's name, in the order of their names.
    package func streams() async throws(SinkError) -> [StreamARN] {
        guard let positionsName else { return [] }
        let key = PositionHash.indexKey(name: positionsName)
        let answer = try await answer(to: [["SMEMBERS", key]], era: nil)
        guard case .array(let names) = answer.replies[0] else { throw Reply.mismatch }
        return names.compactMap { $0.text.flatMap(StreamARN.init) }
            .sorted { $0.description < $1.description }
    }

    // MARK: Parts

    /// How long the hash of a stream that is over is kept: for longer than the stream is listed, so that nobody who starts
    /// without a file, or with an old one, takes it for lost.
    private static let keptSeconds = 72 * 3_600

    private static var time: Double { Date().timeIntervalSince1970 }

    private static func replaced(_ hash: PositionHash) -> SinkError {
        Batch.foreign("\(hash.key) was taken over by another process")
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
    private func wasEvicted(
        _ stream: StreamARN, _ answer: Job.Answer
    ) async throws(SinkError) -> Bool {
        guard let before = known.withLock({ $0.rooms[stream] }),
            let now = try await room(era: answer.era)
        else { return false }
        return now.hasEvicted(since: before)
    }

    private func room(era: Int) async throws(SinkError) -> KnownPositions.Room? {
        let answer = try await answer(
            to: [["INFO", "stats"], ["DBSIZE"]], era: era, toleratingRefusals: true)
        guard let info = answer.replies[0].text, case .integer(let keys) = answer.replies[1],
            let evicted = ServerInfo(info: info).evictedKeys
        else { return nil }
        return KnownPositions.Room(
            server: answer.identity?.split(separator: " ").first, evictedKeys: evicted, keys: keys)
    }

    /// Carries out commands as one transaction, and returns their results.
    private func transaction(
        _ commands: [[String]], era: Int?
    ) async throws(SinkError) -> [Reply] {
        let answer = try await answer(to: [["MULTI"]] + commands + [["EXEC"]], era: era)
        guard case .array(let results)? = answer.replies.last, results.count == commands.count
        else { throw Reply.mismatch }
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
