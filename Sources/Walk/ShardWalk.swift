import Logging
package import Records

/// Walks one shard from its position to its end: page, change set, cache, position, next page.
///
/// One page is read ahead while the one before it is applied. Every path sleeps, moves on or leaves, so that
/// no failure can spin; no failure but a refusal ends the walk before the shard's end.
package struct ShardWalk<Stream: Source, Cache: Sink, Clock: WalkClock>: Sendable {
    /// How a walk came to its end.
    package enum Outcome: Equatable, Sendable {
        /// The shard is drained and applied.
        case ended
        /// The shard is gone, and its end is recorded.
        case passed
        /// The goal is reached; the shard goes on.
        case caughtUp
        /// The task was cancelled; what was applied is recorded.
        case cancelled
        /// The stream says again and again that there is no such shard, at once or after pages of it.
        case gone(afterPages: Bool)
        /// The page can't be applied, or the shard can't be read, without somebody's help.
        case blocked(String)
        /// The cache's positions have to be read again.
        case outdated(String)
        /// Somebody else applies the stream under this name.
        case foreign(String)
    }

    private enum Arrival: Sendable {
        case page(Held)
        case gone
        case refused(String)
        case cancelled

        /// Moves the page out, so that it goes when its user lets it go.
        mutating func takePage() -> Held? {
            guard case .page(let held) = self else { return nil }
            self = .cancelled
            return held
        }
    }

    /// A page in memory, and the bytes that are set aside for it.
    private struct Held: Sendable {
        var page: Page
        let reservation: ByteBudget.Reservation
        let arrivedAt: Duration
        /// Whether its iterator was not the one that the page before had named, nor one at LATEST.
        let isReopened: Bool

        /// The number and the time of the last record; nil where there is none.
        var newest: (number: SequenceNumber, time: Double?)? {
            guard let record = page.records.last else { return nil }
            guard let number = page.sequenceNumber(of: record) else {
                preconditionFailure("a decoded page has numbers that can be read")
            }
            return (number, record.creationTime)
        }
    }

    /// How many empty pages in a row say that an open shard has nothing more.
    ///
    /// An empty page alone does not: about 5 calls walk through a stretch without records.
    private static var emptyPagesAtHead: Int { 10 }
    /// The bounds of the size that a page is expected to have.
    ///
    /// After a page that came a moment ago the next one is about as large; a first page, and one after an outage,
    /// may be as large as they get.
    private static var expectedBytes: ClosedRange<Int> { 64 << 10...2 << 20 }
    /// How often a shard may be refused, or not be found, before it is believed.
    private static var refusalsMaximum: Int { 3 }
    /// For how long a shard is refused, at the least, before somebody has to act: what is between may be at fault.
    private static var refusedMinimum: Duration { .seconds(20) }

    private let parts: WalkParts<Stream, Cache, Clock>
    private let stream: StreamARN
    private let shard: Shard
    private let mapping: Mapping
    private let goal: Goal
    private let era: Int?
    private let seed: UInt64

    /// A walk of `shard`; `seed` varies its pauses.
    ///
    /// Where the cache holds positions, they are those of `era`.
    package init(
        _ shard: Shard, of stream: StreamARN, mapping: Mapping, goal: Goal, era: Int?,
        seed: UInt64, parts: WalkParts<Stream, Cache, Clock>
    ) {
        self.shard = shard
        self.stream = stream
        self.mapping = mapping
        self.goal = goal
        self.era = era
        self.seed = seed
        self.parts = parts
    }

    /// Walks until the shard ends, the goal is reached, somebody has to act or the task is cancelled.
    ///
    /// The walk goes on after `start`, which is how far the shard has been applied. With `atLatest` the first
    /// iterator begins at LATEST, and `start` holds the time of that moment.
    package func run(from start: Position, atLatest: Bool) async -> Outcome {
        parts.progress.addReaders(1)
        defer { parts.progress.addReaders(-1) }
        let goal = timedGoal
        // How far the shard is applied, and how far it is read.
        var (applied, position) = (start, start)
        // From there on, whatever comes is new.
        var isPastHead = atLatest
        var emptyPages = 0
        var hasRead = false
        /// The last record that was left out.
        var passed: SequenceNumber?
        var arrival = await fetch(
            nil, after: start, atLatest: atLatest,
            heardAt: parts.clock.uptime - (atLatest ? .zero : .seconds(unreadTime(at: start))),
            expecting: Self.expectedBytes.upperBound)
        while true {
            var held = arrival.takePage()
            // Not the page itself: whoever holds on to it holds its bytes, for which the next one may have to wait.
            guard let (isReopened, arrivedAt) = held.map({ ($0.isReopened, $0.arrivedAt) }) else {
                return end(of: arrival, afterPages: hasRead)
            }
            hasRead = true
            if isReopened { (isPastHead, emptyPages) = (false, 0) }
            let isNews = keepWanted(
                of: &held, after: position, isPastHead: isPastHead, passed: &passed)
            emptyPages = isNews ? 0 : emptyPages + 1
            if emptyPages >= Self.emptyPagesAtHead { isPastHead = true }
            let (next, bytes) = (held?.page.next, expectedBytes(after: held))
            guard let newest = held?.newest else {
                held = nil
                guard let next else { return await finish(from: applied) }
                if await rest(afterEmptyPages: emptyPages) { return .caughtUp }
                arrival = await fetch(
                    next, after: position, heardAt: arrivedAt, expecting: bytes)
                continue
            }
            let reached = Position.after(newest.number)
            position = reached
            guard let next else { return await apply(&held, from: applied, to: .end) ?? .ended }
            // The next page is on its way while this one is applied; leaving the scope ends it.
            async let ahead = fetch(
                next, after: reached, heardAt: arrivedAt, expecting: bytes)
            if let outcome = await apply(&held, from: applied, to: reached) { return outcome }
            applied = reached
            if let goal, let made = newest.time, made > goal { return .caughtUp }
            arrival = await ahead
        }
    }

    /// About how large the next page will be: as large as the one before, if that came a moment ago.
    private func expectedBytes(after held: Held?) -> Int {
        guard let held, parts.clock.uptime - held.arrivedAt < parts.idle.maximum + .seconds(2)
        else { return Self.expectedBytes.upperBound }
        return held.page.bytes.count
    }

    /// Pauses after a page that brought nothing, or returns true when the shard is caught up with.
    private func rest(afterEmptyPages count: Int) async -> Bool {
        // Records that were left out are no sign of having nothing to do.
        guard count > 0 else { return false }
        let isClosed = parts.progress.catchUp(stream, shard.id)
        if count == Self.emptyPagesAtHead {
            // Whatever the cache had lost and is not there again has been trimmed.
            if case .after? = parts.progress.lost(of: shard.id, in: stream) {
                parts.addGap(to: stream, nil, PositionKeeper<Stream, Cache, Clock>.trimmedLoss)
                let recovery = parts.progress.update(stream) {
                    $0.noteRecovered(shard.id, upTo: .end)
                }
                parts.report(recovery, of: stream)
            }
        }
        if goal != .follow, !isClosed, count >= Self.emptyPagesAtHead { return true }
        // What has ended, or is only to be caught up with, is not worth waiting for.
        let isHurried = isClosed || goal != .follow
        await parts.clock.sleep(
            for: parts.idle.pause(
                afterEmptyPages: isHurried ? 1 : count, among: parts.progress.readers))
        return false
    }

    /// Leaves out of a page what is applied already, and what was made before the time that the position holds; false if
    /// the page brought nothing that was not there before.
    private func keepWanted(
        of held: inout Held?, after position: Position, isPastHead: Bool,
        passed: inout SequenceNumber?
    ) -> Bool {
        guard var page = held?.page, !page.records.isEmpty else { return false }
        switch position {
        case .since(let time):
            if let last = passed { page = page.droppingRecords(upTo: last) }
            held?.page = page
            guard let newest = held?.newest?.number else { return false }
            if isPastHead { break }
            held?.page = page.droppingRecords(before: time)
            if held?.newest == nil { passed = newest }
        case .after(let last):
            held?.page = page.droppingRecords(upTo: last)
            return held?.page.records.isEmpty == false
        case .trimHorizon, .start, .end: break
        }
        return true
    }

    /// Records in the cache that the shard is over, without a page: its last one was empty, or it is gone.
    package func finish(from applied: Position) async -> Outcome {
        await write(ChangeSet(changes: [], page: [], owned: []), from: applied, to: .end) ?? .ended
    }

    /// Maps and applies a page, records it and lets it go; nil when it is applied, else how the walk ends.
    private func apply(
        _ held: inout Held?, from applied: Position, to reached: Position
    ) async -> Outcome? {
        // Whoever waits for the next page must not hold this one: its bytes may be what the next one waits for.
        defer { held = nil }
        guard let page = held?.page, let number = held?.newest?.number else {
            preconditionFailure("there is no page to apply")
        }
        let changes: ChangeSet
        do throws(MappingFailure) {
            changes = try mapping.changes(in: page)
        } catch {
            return .blocked("a record can't be mapped: \(error)")
        }
        if let outcome = await write(changes, from: applied, to: reached) { return outcome }
        parts.progress.advance(
            stream, shard.id, to: number, recordTime: page.records.last?.creationTime,
            records: page.records.count, changes: changes.count)
        noteRecovered(page, upTo: number)
        return nil
    }

    /// Writes changes with the step that they make; nil when they are acknowledged, else how the walk ends.
    private func write(
        _ changes: ChangeSet, from applied: Position, to reached: Position
    ) async -> Outcome? {
        let step = era.map { era in
            Step(of: shard.id, in: stream, from: applied, to: reached, era: era)
        }
        var backoff = newBackoff
        while true {
            parts.progress.noteActivity()
            do throws(SinkError) {
                try await parts.sink.apply(changes, step)
                return nil
            } catch {
                let verdict = Verdict(on: error)
                switch verdict {
                case .block: return .blocked("the cache refuses the page: \(error)")
                case .reread: return .outdated(error.message)
                case .yield: return .foreign(error.message)
                default: break
                }
                if Task.isCancelled { return .cancelled }
                note(error.kind.rawValue, of: "cache", error, verdict)
                await parts.clock.sleep(for: verdict.pause(&backoff))
            }
        }
    }

    /// Counts the records of a page that the cache had before and lost.
    private func noteRecovered(_ page: Page, upTo number: SequenceNumber) {
        guard let lost = parts.progress.lost(of: shard.id, in: stream) else { return }
        let count = page.records.count { record in
            page.sequenceNumber(of: record).map(lost.covers) ?? false
        }
        let recovery = parts.progress.update(stream) { stream in
            stream.noteRecovered(shard.id, upTo: .after(number), records: count)
        }
        parts.report(recovery, of: stream)
    }

    /// Gets the page at an iterator, or at a new one, and does not give up on what may pass.
    ///
    /// A new iterator begins after what was `received` last, or at LATEST if that is asked for; `bytes` is the size of
    /// the page before, which was `heardAt` a time.
    private func fetch(
        _ known: ShardIterator?, after received: Position, atLatest: Bool = false,
        heardAt: Duration, expecting bytes: Int
    ) async -> Arrival {
        var iterator = known
        var opening: IteratorStart = atLatest ? .latest : IteratorStart(received)
        var isReopened = known == nil && !atLatest
        var expected = bytes
        var backoff = newBackoff
        var (refusals, misses) = (0, 0)
        var refusedSince: Duration?
        var isGapNoted = false
        while !Task.isCancelled {
            parts.progress.noteActivity()
            // At the horizon, what is trimmed is passed over in silence.
            if opening == .trimHorizon, iterator == nil, !isGapNoted,
                parts.clock.uptime - heardAt > .seconds(ShardTree.retention)
            {
                isGapNoted = true
                await addGap("the shard was not read for 24 hours; what is trimmed by now is lost")
            }
            do throws(SourceError) {
                let here =
                    if let iterator { iterator } else {
                        try await parts.source.shardIterator(stream, shard.id, opening)
                    }
                iterator = here
                guard
                    let reservation = await parts.memory.reserve(
                        expected.clamped(to: Self.expectedBytes))
                else { break }
                let page = try await parts.source.page(at: here)
                reservation.settle(at: page.bytes.count)
                return .page(
                    Held(
                        page: page, reservation: reservation, arrivedAt: parts.clock.uptime,
                        isReopened: isReopened))
            } catch {
                if Task.isCancelled { break }
                let verdict = Verdict(on: error)
                note(error.kind.rawValue, of: "stream", error, verdict)
                expected = Self.expectedBytes.upperBound
                switch verdict {
                case .retry, .retryLater, .retrySlowly, .reread, .yield: break
                case .reopen: iterator = nil
                case .trimmed:
                    iterator = nil
                    if received != .trimHorizon, !isGapNoted {
                        isGapNoted = true
                        await addGap("records were trimmed before they were read")
                    }
                    if opening == .trimHorizon { misses += 1 }
                    if misses == Self.refusalsMaximum { return .gone }
                    opening = .trimHorizon
                case .gone:
                    iterator = nil
                    misses += 1
                    if misses == Self.refusalsMaximum { return .gone }
                case .block:
                    iterator = nil
                    refusals += 1
                    let now = parts.clock.uptime
                    let since = refusedSince ?? now
                    refusedSince = since
                    guard refusals >= Self.refusalsMaximum else { break }
                    // Servers that are not AWS's may not take a shard's start for a position.
                    guard case .at = opening else {
                        guard now - since < Self.refusedMinimum else { return .refused("\(error)") }
                        break
                    }
                    opening = .trimHorizon
                    (refusals, refusedSince) = (0, nil)
                }
                if iterator == nil {
                    // What came since the first attempt would be skipped by a second one at LATEST.
                    isReopened = true
                    if opening == .latest { opening = IteratorStart(received) }
                }
                await parts.clock.sleep(for: verdict.pause(&backoff))
            }
        }
        return .cancelled
    }

    /// What a walk ends with that got no more page.
    private func end(of arrival: Arrival, afterPages hasRead: Bool) -> Outcome {
        switch arrival {
        case .page: preconditionFailure("a page is no end")
        case .cancelled: .cancelled
        case .refused(let reason): .blocked("the stream can't be read: \(reason)")
        case .gone: .gone(afterPages: hasRead)
        }
    }

    private var newBackoff: Backoff {
        Backoff(
            base: .milliseconds(100), maximum: .seconds(5), generator: SeededGenerator(seed: seed))
    }

    /// For how long, in seconds at the most, a shard had records to read and nobody read them, when its walk begins.
    ///
    /// Of what is after a record, the service itself tells what it has trimmed.
    private func unreadTime(at start: Position) -> Double {
        let now = parts.clock.time
        return parts.progress.visit(stream) { stream in
            switch start {
            // What the stream kept when it was begun was wanted.
            case .since, .trimHorizon: now - stream.tree.beginning.time
            case .start: stream.tree.names.age(of: shard.id, at: now) ?? 0
            case .after, .end: 0
            }
        }
    }

    /// The time of the goal, in seconds since 1970; nil if there is none, or if records may have times of another clock.
    private var timedGoal: Double? {
        guard case .catchUp(let time) = goal, parts.clock.isServiceTime else { return nil }
        return parts.progress.visit(stream) { $0.tree.names.agrees } ? time : nil
    }

    private func addGap(_ reason: String) async {
        parts.addGap(to: stream, shard.id, reason)
        // Before the cache has a position behind it: nobody who goes on from there would find it again.
        if era != nil { await parts.remember() }
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

extension Int {
    fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
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
