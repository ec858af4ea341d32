package import Logging
package import Records

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

    /// The parts of a walk.
    package init(
        source: Stream, sink: Cache, clock: Clock, progress: Progress, memory: ByteBudget,
        calls: CallBudget<Clock>, idle: IdlePause, logger: Logger
    ) {
        self.source = source
        self.sink = sink
        self.clock = clock
        self.progress = progress
        self.memory = memory
        self.calls = calls
        self.idle = idle
        self.logger = logger
        failures = FailureLog(logger)
    }
}

/// The pause after a page without records: it doubles from the least to the most.
package struct IdlePause: Equatable, Sendable {
    /// The pause after the first empty page.
    package let minimum: Duration
    /// The longest pause.
    package let maximum: Duration

    /// Pauses between two bounds, which may be equal.
    package init(minimum: Duration, maximum: Duration) {
        precondition(.zero < minimum && minimum <= maximum)
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The pause after so many empty pages in a row, 1 at least.
    package func pause(afterEmptyPages count: Int) -> Duration {
        min(maximum, minimum * (1 << min(count - 1, 16)))
    }
}

/// How far a walk goes.
package enum Goal: Equatable, Sendable {
    /// On and on, until it is cancelled.
    case follow
    /// To the place where the stream stood at a time, in seconds since 1970.
    case catchUp(to: Double)
}

/// Walks one shard from its position to its end: page, change set, cache, position, next page.
///
/// One page is read ahead while the one before it is applied. Every path sleeps, moves on or leaves, so that
/// no failure can spin; no failure but a refusal ends the walk before the shard's end.
package struct ShardWalk<Stream: Source, Cache: Sink, Clock: WalkClock>: Sendable {
    /// How a walk came to its end.
    package enum Outcome: Equatable, Sendable {
        /// The shard is drained and applied.
        case ended
        /// The goal is reached; the shard goes on.
        case caughtUp
        /// The task was cancelled; what was applied is recorded.
        case cancelled
        /// The page can't be applied, or the shard can't be read, without somebody's help.
        case blocked(String)
    }

    private enum Arrival: Sendable {
        case page(Page, ByteBudget.Reservation)
        case gone
        case refused(String)
        case cancelled
    }

    /// How many empty pages in a row say that an open shard has nothing more.
    ///
    /// An empty page alone does not: about 5 calls walk through a stretch without records.
    private static var emptyPagesAtHead: Int { 10 }
    /// The size that a first page is expected to have, and the bounds of what later ones are.
    private static var expectedBytes: ClosedRange<Int> { 64 << 10...2 << 20 }

    /// How often a shard may be refused, or not be found, before it is believed.
    private static var refusalsMaximum: Int { 3 }

    private let parts: WalkParts<Stream, Cache, Clock>
    private let stream: StreamARN
    private let shard: Shard
    private let mapping: Mapping
    private let goal: Goal
    private let seed: UInt64

    /// A walk of `shard`; `seed` varies its pauses.
    package init(
        _ shard: Shard, of stream: StreamARN, mapping: Mapping, goal: Goal, seed: UInt64,
        parts: WalkParts<Stream, Cache, Clock>
    ) {
        self.shard = shard
        self.stream = stream
        self.mapping = mapping
        self.goal = goal
        self.seed = seed
        self.parts = parts
    }

    /// Walks until the shard ends, the goal is reached, somebody has to act or the task is cancelled.
    ///
    /// The walk goes on after `start`, which is how far the shard has been applied. With `atLatest` the first
    /// iterator begins at LATEST, and `start` holds the time of that moment.
    package func run(from start: Position, atLatest: Bool) async -> Outcome {
        var leftOutBefore: Double? = if case .since(let time) = start { time } else { nil }
        var position = start
        var emptyPages = 0
        var arrival = await fetch(nil, after: start, atLatest: atLatest, expecting: 0)
        while true {
            guard case .page(let page, let reservation) = arrival else {
                return end(of: arrival, at: position)
            }
            let kept = leftOutBefore.map(page.droppingRecords(before:)) ?? page
            guard let newest = kept.records.last else {
                emptyPages = page.records.isEmpty ? emptyPages + 1 : 0
                if page.records.isEmpty { parts.progress.catchUp(stream, shard.id) }
                guard let next = page.next else { return .ended }
                if goal != .follow, emptyPages >= Self.emptyPagesAtHead { return .caughtUp }
                reservation.settle(at: 0)
                if emptyPages > 0 { await parts.clock.sleep(for: pause(after: emptyPages)) }
                arrival = await fetch(next, after: position, expecting: 0)
                continue
            }
            guard let number = page.sequenceNumber(of: newest) else {
                return .blocked("a record of the page has no sequence number that can be read")
            }
            emptyPages = 0
            leftOutBefore = nil
            position = .after(number)
            // The next page is on its way while this one is applied; leaving the scope ends it.
            async let ahead = fetchAhead(page, after: position)
            if let outcome = await apply(kept, upTo: number) { return outcome }
            guard page.next != nil else { return .ended }
            if case .catchUp(let time) = goal, let made = newest.creationTime, made > time {
                return .caughtUp
            }
            arrival = await ahead
        }
    }

    /// Maps and applies a page and records it; nil when it is applied, else how the walk ends.
    private func apply(_ page: Page, upTo number: SequenceNumber) async -> Outcome? {
        let changes: ChangeSet
        do throws(MappingFailure) {
            changes = try mapping.changes(in: page)
        } catch {
            return .blocked("a record can't be mapped: \(error)")
        }
        var backoff = Backoff(
            base: .milliseconds(100), maximum: .seconds(5), generator: SeededGenerator(seed: seed))
        while true {
            do throws(SinkError) {
                try await parts.sink.apply(changes)
                parts.progress.advance(
                    stream, shard.id, to: number, recordTime: page.records.last?.creationTime,
                    records: page.records.count, changes: changes.count)
                return nil
            } catch {
                let verdict = Verdict(on: error)
                if verdict == .block { return .blocked("the cache refuses the page: \(error)") }
                if Task.isCancelled { return .cancelled }
                note(error.kind.rawValue, of: "cache", error, verdict)
                await parts.clock.sleep(for: verdict.pause(&backoff))
            }
        }
    }

    private func fetchAhead(_ page: Page, after position: Position) async -> Arrival {
        guard let next = page.next else { return .cancelled }
        return await fetch(next, after: position, expecting: page.bytes.count)
    }

    /// Gets the page at an iterator, or at a new one, and does not give up on what may pass.
    ///
    /// A new iterator begins after what was `received` last, or at LATEST if that is asked for; `bytes` is the size of
    /// the page before.
    private func fetch(
        _ known: ShardIterator?, after received: Position, atLatest: Bool = false,
        expecting bytes: Int
    ) async -> Arrival {
        var iterator = known
        var opening: IteratorStart = atLatest ? .latest : IteratorStart(received)
        var backoff = Backoff(
            base: .milliseconds(100), maximum: .seconds(5), generator: SeededGenerator(seed: seed))
        var refusals = 0
        while !Task.isCancelled {
            do throws(SourceError) {
                let here =
                    if let iterator { iterator } else {
                        try await parts.source.shardIterator(stream, shard.id, opening)
                    }
                iterator = here
                let expected = min(
                    max(bytes, Self.expectedBytes.lowerBound), Self.expectedBytes.upperBound)
                guard let reservation = await parts.memory.reserve(expected) else { break }
                let page = try await parts.source.page(at: here)
                reservation.settle(at: page.bytes.count)
                parts.progress.countPage()
                return .page(page, reservation)
            } catch {
                if Task.isCancelled { break }
                let verdict = Verdict(on: error)
                note(error.kind.rawValue, of: "stream", error, verdict)
                switch verdict {
                case .retry, .retryLater, .retrySlowly: break
                case .reopen: (iterator, opening) = (nil, IteratorStart(received))
                case .trimmed:
                    iterator = nil
                    if opening != .trimHorizon {
                        addGap("records were trimmed before they were read")
                    }
                    opening = .trimHorizon
                case .gone, .block:
                    refusals += 1
                    iterator = nil
                    // Servers that are not AWS's may not take a shard's start for a position.
                    if verdict == .block, case .at = opening {
                        opening = .trimHorizon
                    } else if refusals == Self.refusalsMaximum {
                        return verdict == .gone ? .gone : .refused("\(error)")
                    } else {
                        opening = IteratorStart(received)
                    }
                }
                await parts.clock.sleep(for: verdict.pause(&backoff))
            }
        }
        return .cancelled
    }

    /// What a walk ends with that got no more page, having applied everything up to `position`.
    private func end(of arrival: Arrival, at position: Position) -> Outcome {
        switch arrival {
        case .page: preconditionFailure("a page is no end")
        case .cancelled: return .cancelled
        case .refused(let reason): return .blocked("the stream can't be read: \(reason)")
        case .gone:
            switch position {
            // Whatever was older than the horizon was never promised.
            case .trimHorizon: break
            case .after(let last) where last == shard.end: break
            default: addGap("the shard is gone; what it held after this position is not known")
            }
            return .ended
        }
    }

    private func pause(after emptyPages: Int) -> Duration {
        // A shard that has ended, or that is only to be caught up with, is not worth waiting for.
        shard.end != nil || goal != .follow
            ? parts.idle.minimum : parts.idle.pause(afterEmptyPages: emptyPages)
    }

    private func addGap(_ reason: String) {
        parts.progress.addGap(
            Checkpoint.Gap(shard: shard.id, reason: reason, noticedAt: parts.clock.time),
            to: stream)
        parts.logger.error(
            "gap: changes are lost; replay or refill the cache to be sure of it",
            metadata: ["stream": "\(stream)", "shard": "\(shard.id)", "reason": "\(reason)"])
    }

    private func note(
        _ kind: String, of side: String, _ error: any Error, _ verdict: Verdict
    ) {
        parts.failures.note(
            "\(side)/\(kind)", level: verdict == .retrySlowly ? .error : .warning,
            at: parts.clock.uptime,
            verdict == .retrySlowly
                ? "\(side) denied; somebody has to act, trying again every half minute"
                : "\(side) failed; trying again",
            ["shard": "\(shard.id)", "error": "\(error)"])
    }
}

extension IteratorStart {
    /// Where an iterator begins that goes on after what was read.
    init(_ position: Position) {
        switch position {
        case .trimHorizon, .since: self = .trimHorizon
        case .start(let number): self = .at(number)
        case .after(let number): self = .after(number)
        case .end: preconditionFailure("a finished shard is not read")
        }
    }
}
