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
        calls: CallBudget<Clock>, idle: IdlePause, logger: Logger,
        remember: @escaping @Sendable () async -> Void = {}
    ) {
        self.source = source
        self.sink = sink
        self.clock = clock
        self.progress = progress
        self.memory = memory
        self.calls = calls
        self.idle = idle
        self.logger = logger
        self.remember = remember
        failures = FailureLog(logger)
    }

    /// Notes and reports that changes of a shard are lost.
    func addGap(to stream: StreamARN, _ shard: ShardID, _ reason: String) {
        progress.addGap(
            Checkpoint.Gap(shard: shard, reason: reason, noticedAt: clock.time), to: stream)
        logger.error(
            "gap: changes are lost; replay or refill the cache to be sure of it",
            metadata: ["stream": "\(stream)", "shard": "\(shard)", "reason": "\(reason)"])
    }
}

/// How far a walk goes.
package enum Goal: Equatable, Sendable {
    /// On and on, until it is cancelled.
    case follow
    /// To the place where the stream stood at a time, in seconds since 1970.
    case catchUp(to: Double)
}
