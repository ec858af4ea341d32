import Logging
import Records

/// What the walk of a stream does about the positions that the cache holds.
struct PositionKeeper<Stream: Source, Cache: Sink, Clock: WalkClock>: Sendable {
    /// What a walk stands on when it starts.
    struct Footing: Sendable {
        /// The era of the cache's positions; nil where it holds none.
        var era: Int?
        /// Where the stream begins; nil if it is gone on with.
        var beginning: StartPosition?
        /// How far shards had been applied before the cache was emptied.
        var lost: [ShardID: Position] = [:]
        /// What was known of the stream that begins; true until its beginning is written to the cache.
        var before: Checkpoint.Stream?
    }

    /// How soon a sign of life is tried again that could not be written because the cache was away.
    private static var beatAgain: Duration { .milliseconds(250) }

    /// The most shards that are forgotten at once.
    private static var forgottenAtOnce: Int { 500 }

    /// The stream that is walked.
    let stream: StreamARN
    /// What the walks share.
    let parts: WalkParts<Stream, Cache, Clock>

    /// Reads the cache's positions and makes the progress agree with them; nil when the task is cancelled.
    ///
    /// A stream of which nothing is known, or that is to begin `anew`, begins at `start`.
    ///
    /// - Throws: ``WalkError`` when somebody else applies the stream, or when the cache was emptied and the policy is to
    ///   stop.
    func takeUp(from start: StartPosition, anew: Bool) async throws(WalkError) -> Footing? {
        guard parts.sink.holdsPositions else {
            // Before the first write: what the cache still holds of positions would say more than it has.
            if parts.progress.setCached(stream, .old) { await parts.remember() }
            let isNew = anew || !parts.progress.knows(stream)
            return Footing(beginning: isNew ? start : nil)
        }
        while !Task.isCancelled {
            guard
                let cache = try await patiently({ () async throws(SinkError) in
                    try await parts.sink.memory(of: stream)
                })
            else { continue }
            let known = parts.progress.streams[stream]?.memory
            if anew { return Footing(era: cache.era, beginning: start, before: known) }
            switch Reconciliation(
                known, cache, onLoss: parts.onCacheLoss, time: parts.clock.time)
            {
            case .begin: return Footing(era: cache.era, beginning: start)
            case .stop: throw .cacheLost
            case .refill(let lost):
                parts.logger.error(
                    "the cache was emptied; all that the stream still keeps is written again",
                    metadata: ["stream": "\(stream)", "shards": "\(lost.count)"])
                return Footing(
                    era: cache.era, beginning: .trimHorizon, lost: lost, before: known)
            case .resume(let memory, let isUnwritten):
                parts.report(parts.progress.restore(stream, to: memory), of: stream)
                reportLoss(since: known, memory)
                if isUnwritten {
                    guard try await establish(memory, era: cache.era) else { continue }
                    parts.progress.setCached(stream, .current)
                    if known?.cached == .current,
                        memory.shards.values.contains(where: \.position.hasBegun)
                    {
                        reportAbsence(cache)
                    }
                    // Whoever starts again with a file that says otherwise would take the cache back.
                    await parts.remember()
                }
                return Footing(era: cache.era)
            }
        }
        return nil
    }

    /// Writes all positions to the cache; false when the task is cancelled, or when they have to be read before.
    ///
    /// - Throws: ``WalkError`` when somebody else applies the stream.
    func establish(_ memory: Checkpoint.Stream, era: Int) async throws(WalkError) -> Bool {
        let answer: Void? = try await patiently { () async throws(SinkError) in
            try await parts.sink.establish(stream, memory, era: era)
        }
        return answer != nil
    }

    /// Whether the cache still has what it acknowledged: false when the positions have to be read again, nil when the task is
    /// cancelled.
    ///
    /// - Throws: ``WalkError`` when somebody else applies the stream.
    func confirm(era: Int) async throws(WalkError) -> Bool? {
        let answer: Void? = try await patiently { () async throws(SinkError) in
            try await parts.sink.beat(stream, era: era)
        }
        return answer != nil ? true : Task.isCancelled ? nil : false
    }

    /// Gives the positions a sign of life on a beat, until the task is cancelled or they have to be read again.
    func watch(era: Int) async -> SinkError? {
        var pause = parts.beat
        while true {
            await parts.clock.sleep(for: pause)
            guard !Task.isCancelled else { return nil }
            pause = parts.beat
            do throws(SinkError) {
                try await parts.sink.beat(stream, era: era)
            } catch {
                let verdict = Verdict(on: error)
                if verdict == .reread || verdict == .yield { return error }
                // A connection that is lost tells of itself, and may be there again at any moment.
                if verdict == .retry { pause = min(pause, Self.beatAgain) }
                guard verdict != .retry, !Task.isCancelled else { continue }
                parts.failures.note(
                    "beat/\(error.kind.rawValue)", level: .error, at: parts.clock.uptime,
                    "no sign of life can be written to the cache's positions: while nothing else is written, losses go unnoticed",
                    ["stream": "\(stream)", "error": "\(error)"])
            }
        }
    }

    /// Removes the positions of shards that are over from the cache; what can't be removed now is harmless.
    func forget(_ shards: [ShardID], era: Int) async {
        // What the file still has and the cache no more would be taken for lost.
        parts.progress.noteChange()
        await parts.remember()
        var rest = shards[...]
        while !rest.isEmpty, !Task.isCancelled {
            let part = rest.prefix(Self.forgottenAtOnce)
            rest.removeFirst(part.count)
            try? await parts.sink.forget(Array(part), of: stream, era: era)
        }
    }

    /// Writes to the cache that shards are over which are not read; what can't be written now is harmless.
    func pass(_ shards: [ShardID], era: Int) async -> SinkError? {
        for shard in shards {
            let step = Step(of: shard, in: stream, from: .trimHorizon, to: .end, era: era)
            do throws(SinkError) {
                try await parts.sink.apply(ChangeSet(changes: [], page: [], owned: []), step)
            } catch {
                if [.outdated, .foreign].contains(error.kind) { return error }
            }
        }
        return nil
    }

    /// Lets the positions of the stream, which is over, go by themselves; where that can't be done now, they stay.
    func expire(era: Int) async {
        try? await parts.sink.expire(stream, era: era)
    }

    /// Gives up what the cache lost of shards that are listed no more.
    func giveUpUnlisted() {
        let time = parts.clock.time
        let unlisted = parts.progress.visit(stream) { stream in
            stream.lost.keys.filter { id in
                // A listing may be behind; what is too young to be gone will be listed.
                let age = stream.tree.names.age(of: id, at: time) ?? .infinity
                return stream.tree.nodes[id] == nil
                    && age > ShardTree.retention - ShardTree.margin
            }
        }
        guard !unlisted.isEmpty else { return }
        parts.addGap(to: stream, nil, Self.trimmedLoss)
        let recovery = parts.progress.update(stream) { $0.giveUp(unlisted) }
        parts.report(recovery, of: stream)
    }

    /// The gap where the cache lost what is trimmed by now.
    static var trimmedLoss: String {
        "the cache lost changes that the stream does not hold any more; they come back when they change again"
    }

    /// Reports that the positions were gone and are written again, while what else was gone stays so.
    private func reportAbsence(_ cache: CacheMemory) {
        guard !cache.isEvicted else {
            parts.logger.warning(
                "the cache had made room by removing the positions; they are written again",
                metadata: ["stream": "\(stream)"])
            return
        }
        parts.logger.error(
            "the cache was emptied, and is not filled again as redis.onCacheLoss is resume; what it held comes back when it changes",
            metadata: ["stream": "\(stream)"])
    }

    /// Calls the cache until it answers; nil when the task is cancelled, or when the positions have to be read again.
    private func patiently<Value: Sendable>(
        _ call: () async throws(SinkError) -> Value
    ) async throws(WalkError) -> Value? {
        var backoff = Backoff(
            base: .milliseconds(100), maximum: .seconds(2),
            generator: SeededGenerator(seed: UInt64(parts.progress.activity)))
        while !Task.isCancelled {
            parts.progress.noteActivity()
            do throws(SinkError) {
                return try await call()
            } catch {
                let verdict = Verdict(on: error)
                if verdict == .reread { return nil }
                if verdict == .yield { throw .foreign(error.message) }
                if Task.isCancelled { break }
                parts.failures.note(
                    "positions/\(error.kind.rawValue)",
                    level: verdict == .retry ? .warning : .error, at: parts.clock.uptime,
                    "the cache's positions can't be read or written; the walk waits for them, trying again",
                    ["stream": "\(stream)", "error": "\(error)"])
                // What is refused for its own sake waits for somebody as well.
                let pause: Verdict = verdict == .block ? .retrySlowly : verdict
                await parts.clock.sleep(for: pause.pause(&backoff))
            }
        }
        return nil
    }

    /// Reports what the cache lost of what it had acknowledged, unless that is known.
    private func reportLoss(since before: Checkpoint.Stream?, _ memory: Checkpoint.Stream) {
        let lost = Set(memory.lost.keys.filter { before?.lost[$0] != memory.lost[$0] })
        guard !lost.isEmpty else { return }
        parts.logger.warning(
            "the cache lost changes that it had acknowledged, as in a failover; they are written again",
            metadata: [
                "stream": "\(stream)", "shards": "\(lost.count)", "names": "\(lost.listed)",
            ])
    }
}
