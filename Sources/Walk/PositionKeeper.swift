import Logging

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
    }

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
            if parts.progress.setCached(stream, false) { await parts.remember() }
            let isNew = anew || !parts.progress.knows(stream)
            return Footing(beginning: isNew ? start : nil)
        }
        while !Task.isCancelled {
            guard
                let cache = try await patiently({ () async throws(SinkError) in
                    try await parts.sink.memory(of: stream)
                })
            else { continue }
            if anew { return Footing(era: cache.era, beginning: start) }
            let known = parts.progress.streams[stream]?.memory
            switch Reconciliation(
                known, cache, onLoss: parts.onCacheLoss, time: parts.clock.time)
            {
            case .begin: return Footing(era: cache.era, beginning: start)
            case .stop: throw .cacheLost
            case .refill(let lost):
                parts.logger.error(
                    "the cache was emptied; all that the stream still keeps is written again",
                    metadata: ["stream": "\(stream)", "shards": "\(lost.count)"])
                return Footing(era: cache.era, beginning: .trimHorizon, lost: lost)
            case .resume(let memory, let isUnwritten):
                parts.report(parts.progress.restore(stream, to: memory), of: stream)
                reportLoss(since: known, memory)
                if isUnwritten, try await !establish(era: cache.era) { continue }
                return Footing(era: cache.era)
            }
        }
        return nil
    }

    /// Writes all positions to the cache; false when the task is cancelled, or when they have to be read before.
    ///
    /// - Throws: ``WalkError`` when somebody else applies the stream.
    func establish(era: Int) async throws(WalkError) -> Bool {
        let memory = parts.progress.visit(stream) { $0.memory }
        let answer: Void? = try await patiently { () async throws(SinkError) in
            try await parts.sink.establish(stream, memory, era: era)
        }
        guard answer != nil else { return false }
        parts.progress.setCached(stream, true)
        return true
    }

    /// Whether the cache still has what it acknowledged: false when the positions have to be read again.
    ///
    /// - Throws: ``WalkError`` when somebody else applies the stream.
    func confirm(era: Int) async throws(WalkError) -> Bool {
        let answer: Void? = try await patiently { () async throws(SinkError) in
            try await parts.sink.beat(stream, era: era)
        }
        return answer != nil || Task.isCancelled
    }

    /// Gives the positions a sign of life on a beat, until the task is cancelled or they have to be read again.
    func watch(era: Int) async -> SinkError? {
        while true {
            await parts.clock.sleep(for: parts.beat)
            guard !Task.isCancelled else { return nil }
            do throws(SinkError) {
                try await parts.sink.beat(stream, era: era)
            } catch {
                let verdict = Verdict(on: error)
                if verdict == .reread || verdict == .yield { return error }
                // A connection that is lost tells of itself.
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
        var rest = shards[...]
        while !rest.isEmpty, !Task.isCancelled {
            let part = rest.prefix(Self.forgottenAtOnce)
            rest.removeFirst(part.count)
            try? await parts.sink.forget(Array(part), of: stream, era: era)
        }
    }

    /// Removes the positions of the stream, which is over, from the cache; what can't be removed now is harmless.
    func forgetStream(era: Int?) async {
        guard let era else { return }
        // Before it is true, as what is gone and not known to be would be taken for an emptied cache.
        parts.progress.setCached(stream, false)
        await parts.remember()
        try? await parts.sink.forget(stream, era: era)
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
        parts.addGap(
            to: stream, nil,
            "the cache lost changes that the stream does not hold any more; they come back when they change again"
        )
        let recovery = parts.progress.update(stream) { $0.giveUp(unlisted) }
        parts.report(recovery, of: stream)
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
