package import Logging

/// What the walks of all shards share.
package struct WalkParts<Stream: Source, Cache: Sink, Clock: WalkClock>: Sendable {
    /// Where pages come from.
    package let source: Stream
    /// Where changes go to.
    package let sink: Cache
    /// The time.
    package let clock: Clock
    /// What has been applied.
    package let progress: Progress
    /// The bytes that pages may hold.
    package let memory: ByteBudget
    /// DescribeStream calls that may be made.
    package let calls: CallBudget<Clock>
    /// The pauses between polls that bring nothing.
    package let idle: IdlePause
    /// What is done when the cache was emptied.
    package let onCacheLoss: CacheLossPolicy
    /// How often the cache's positions get a sign of life.
    package let beat: Duration
    /// Where to write what happens.
    package let logger: Logger
    /// Where to write what fails again and again.
    package let failures: FailureLog
    /// Puts the progress where it outlives the process.
    let remember: @Sendable () async -> Void

    /// The parts of a walk.
    ///
    /// `remember` is called when a stream has begun and before it is read: a stream that is begun at LATEST and not
    /// remembered would be begun there again, later, after a kill. What it can't put there it reports itself.
    package init(
        source: Stream, sink: Cache, clock: Clock, progress: Progress, memory: ByteBudget,
        calls: CallBudget<Clock>, idle: IdlePause, onCacheLoss: CacheLossPolicy = .rewind,
        beat: Duration = .seconds(2), logger: Logger,
        remember: @escaping @Sendable () async -> Void = {}
    ) {
        self.source = source
        self.sink = sink
        self.clock = clock
        self.progress = progress
        self.memory = memory
        self.calls = calls
        self.idle = idle
        self.onCacheLoss = onCacheLoss
        self.beat = beat
        self.logger = logger
        self.remember = remember
        failures = FailureLog(logger)
    }

    /// Notes and reports that changes of a shard are lost, or of shards that are not known any more.
    func addGap(to stream: StreamARN, _ shard: ShardID?, _ reason: String) {
        progress.addGap(
            Checkpoint.Gap(shard: shard, reason: reason, noticedAt: clock.time), to: stream)
        var metadata: Logger.Metadata = ["stream": "\(stream)", "reason": "\(reason)"]
        metadata["shard"] = shard.map { "\($0)" }
        logger.error(
            "gap: changes are lost; replay or refill the cache to be sure of it",
            metadata: metadata)
    }

    /// Reports that the cache has what it had lost.
    func report(_ recovery: Progress.Recovery?, of stream: StreamARN) {
        guard let recovery else { return }
        logger.notice(
            "what the cache had lost is written again",
            metadata: [
                "stream": "\(stream)", "records": "\(recovery.records)",
                "shards": "\(recovery.shards.count)",
                "names": "\(recovery.shards.listed)",
            ])
    }
}

extension Collection<ShardID> {
    /// The names in their order, the first ten of them.
    var listed: String {
        let names = sorted().prefix(10).map(\.description).joined(separator: ", ")
        return count > 10 ? "\(names) and \(count - 10) more" : names
    }
}

/// How far a walk goes.
package enum Goal: Equatable, Sendable {
    /// On and on, until it is cancelled.
    case follow
    /// To the place where the stream stood at a time, in seconds since 1970.
    case catchUp(to: Double)
}
