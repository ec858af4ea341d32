package import Records
import Synchronization
package import Walk

/// The stream's service as one process of the daemon sees it: slow, forgetful and full of excuses, within what the real
/// one does.
package final class SimulatedStream: Source {
    private struct Cursor {
        let shard: ShardID
        /// The place in the shard's entries where it goes on.
        let place: Int
        let issuedAt: Duration
        /// How many empty pages come first.
        let emptyPages: Int
    }

    private struct State {
        var cursors: [String: Cursor] = [:]
        /// How many cursors were handed out.
        var issued = 0
        /// How often something was refused without a reason since it was last read or listed.
        var refusals: [String: Int] = [:]
        var calls: CallInvariants
        /// How often the walk had begun again when that was looked at last.
        var takeUps = 0
    }

    /// How long an iterator lives.
    private static let lifetime = Duration.seconds(900)
    /// For how long, in seconds, a shard is known to be young by a clock that is wrong by hours.
    private static let youth = 36_000.0

    private let world: World
    private let process: SimulatedProcess
    private let state: Mutex<State>

    /// The stream for a process.
    init(_ world: World, for process: SimulatedProcess) {
        self.world = world
        self.process = process
        state = Mutex(State(calls: CallInvariants(world.scenario.idle)))
    }

    private var scenario: Scenario { world.scenario }
    private var now: Double { world.clock.serviceTime }

    // MARK: The three calls

    package func describe(
        _ stream: StreamARN, _ selection: ShardSelection
    ) async throws(SourceError) -> StreamDescription {
        check { $0.describes(selection, at: $1) }
        world.access { $0.calls.describes += 1 }
        let description = try await perform("DescribeStream", on: nil) { () throws(SourceError) in
            let lag = scenario.listingLag == 0 ? 0 : world.random(0...scenario.listingLag)
            let time = max(now - lag, SimulatedClock.origin)
            let (status, shards) = world.access { world in
                (
                    world.model.status,
                    world.model.ids.compactMap { world.model.shards[$0] }
                        .filter { $0.isListed(at: time) }.map { $0.listed(at: time) }
                )
            }
            world.note("listing of \(selection), \(lag) seconds old: \(status)")
            switch selection {
            case .children(let parent):
                if scenario.refusesFilter { throw error(.invalid, "DescribeStream") }
                return StreamDescription(
                    status: status, shards: shards.filter { $0.parent == parent })
            case .all(let cursor):
                let rest =
                    status == .enabling
                    ? [] : shards.filter { shard in cursor.map { $0 < shard.id } ?? true }
                let page = rest.prefix(scenario.listingPage)
                let isConfused = isStormy && world.happens(scenario.repeatedCursors)
                return StreamDescription(
                    status: status, shards: Array(page),
                    lastEvaluated: isConfused
                        ? shards.first?.id : page.count < rest.count ? page.last?.id : nil)
            }
        }
        state.withLock { $0.calls.described(selection) }
        return description
    }

    package func shardIterator(
        _ stream: StreamARN, _ shard: ShardID, _ start: IteratorStart
    ) async throws(SourceError) -> ShardIterator {
        world.note("iterator of \(shard) at \(start)")
        check { $0.opens(shard, at: $1) }
        world.access { $0.calls.iterators += 1 }
        if !world.access(\.saved.hasBeginning) {
            world.violate("\(shard) is opened before it is saved where the stream begins")
        }
        if start == .latest { checkLatest(shard) }
        if start == .trimHorizon { checkHorizon(shard) }
        let (iterator, openedAt) = try await perform("GetShardIterator", on: shard) {
            () throws(SourceError) in
            if case .at = start, scenario.refusesStart { throw error(.invalid, "GetShardIterator") }
            let known = world.access { $0.model.shards[shard] }
            guard let known, !known.isGone(at: now) else {
                throw error(.notFound, "GetShardIterator")
            }
            let trimmed = known.trimmed(at: now)
            var place: Int
            switch start {
            case .trimHorizon: place = trimmed
            case .latest: place = known.entries.count
            case .at(let number):
                place = known.entries.firstIndex { number <= $0.number } ?? known.entries.count
                if place == 0, trimmed > 0 { place = -1 }
            case .after(let number):
                place = known.entries.firstIndex { number < $0.number } ?? known.entries.count
                if scenario.repeatsRecord, place > trimmed { place -= 1 }
            }
            guard place >= trimmed else { throw error(.trimmed, "GetShardIterator") }
            return (issue(shard, place), now)
        }
        state.withLock { $0.calls.opened(shard) }
        // What counts is the first answer that arrives.
        if start == .latest { world.access { $0.latestAt[shard] = $0.latestAt[shard] ?? openedAt } }
        return iterator
    }

    package func page(at iterator: ShardIterator) async throws(SourceError) -> Page {
        guard let cursor = state.withLock({ $0.cursors[iterator.text] }) else {
            world.violate("an iterator that was never issued is used")
            throw error(.invalid, "GetRecords")
        }
        let shard = cursor.shard
        do {
            // Let go before anything is awaited: what is held twice is copied as a whole when it changes.
            let acknowledged = world.access { world in
                world.calls.pages += 1
                return world.notes.acknowledged
            }
            check { $0.reads(shard, at: $1, acknowledged: acknowledged) }
            checkBytes(acknowledged)
        }
        defer { state.withLock { $0.calls.read(shard) } }
        let (page, last) = try await perform("GetRecords", on: shard) { () throws(SourceError) in
            try read(cursor)
        }
        state.withLock { state in
            // What was answered is not asked for again.
            state.cursors[iterator.text] = nil
            state.calls.got(
                shard, last, wanted: scenario.start == .trimHorizon, bytes: page.bytes.count,
                isLast: page.next == nil, at: world.clock.uptime)
        }
        return page
    }

    // MARK: Answers

    private func read(
        _ cursor: Cursor
    ) throws(SourceError) -> (page: Page, last: StreamModel.Entry?) {
        guard world.clock.uptime - cursor.issuedAt <= Self.lifetime else {
            throw error(.expiredIterator, "GetRecords")
        }
        let known = world.access { $0.model.shards[cursor.shard] }
        guard let shard = known, !shard.isGone(at: now) else {
            throw error(.notFound, "GetRecords")
        }
        guard shard.trimmed(at: now) <= cursor.place else { throw error(.trimmed, "GetRecords") }
        let isPause = cursor.emptyPages > 0
        let entries = isPause ? [] : shard.entries[cursor.place...].prefix(scenario.recordsPage)
        if scenario.repeatsForever, entries.isEmpty, shard.end == nil {
            return (decode(shard.entries.suffix(1), issue(cursor.shard, cursor.place)), nil)
        }
        let place = cursor.place + entries.count
        let isAtEnd = shard.end != nil && place == shard.entries.count && !isPause
        let isOver = isAtEnd && (shard.endsWithRecords || entries.isEmpty)
        let next =
            isOver
            ? nil
            : issue(
                cursor.shard, place, isAtEnd: isAtEnd,
                emptyPages: isPause ? cursor.emptyPages - 1 : nil)
        world.note("page of \(cursor.shard) from \(cursor.place): \(entries.count), end \(isOver)")
        return (decode(entries, next), entries.last)
    }

    /// Makes an iterator; more empty pages may follow it at the end of a shard than before records.
    private func issue(
        _ shard: ShardID, _ place: Int, isAtEnd: Bool = false, emptyPages: Int? = nil
    ) -> ShardIterator {
        let most = Double(scenario.emptyPages * (isAtEnd ? 4 : 1))
        let pages = emptyPages ?? (world.happens(0.3) ? Int(world.random(0...most)) : 0)
        return state.withLock { state in
            let text = "iterator-\(state.issued)"
            state.issued += 1
            state.cursors[text] = Cursor(
                shard: shard, place: place, issuedAt: world.clock.uptime, emptyPages: pages)
            return ShardIterator(text)
        }
    }

    private func decode(
        _ entries: ArraySlice<StreamModel.Entry>, _ next: ShardIterator?
    ) -> Page {
        let filler = scenario.hasLargeRecords ? String(repeating: "x", count: 40_000) : ""
        let records = entries.map { entry in
            let name = ["INSERT", "MODIFY", "REMOVE"][entry.operation.place]
            let image = entry.image.map { #","NewImage":\#($0)"# } ?? ""
            let time = Int(entry.time + scenario.recordOffset)
            let made =
                scenario.hasTimelessRecords ? "" : #""ApproximateCreationDateTime":\#(time),"#
            return #"""
                {"eventName":"\#(name)","filler":"\#(filler)","dynamodb":{\#
                \#(made)\#
                "Keys":{"id":{"S":"\#(entry.key)"}}\#(image),\#
                "SequenceNumber":"\#(entry.number)"}}
                """#
        }
        let iterator = next.map { #","NextShardIterator":"\#($0.text)""# } ?? ""
        let text = #"{"Records":[\#(records.joined(separator: ","))]\#(iterator)}"#
        do {
            return try PageDecoder.decode(Array(text.utf8))
        } catch {
            preconditionFailure("the simulation's page is not one: \(error)")
        }
    }

    // MARK: Troubles

    /// Answers after a while; in a storm fails before or after the effect.
    ///
    /// A call without a shard is about the stream.
    private func perform<Answer: Sendable>(
        _ operation: String, on shard: ShardID?, _ effect: () throws(SourceError) -> Answer
    ) async throws(SourceError) -> Answer {
        do throws(SourceError) {
            let thing = shard?.description ?? "stream"
            await world.clock.sleep(for: world.latency())
            guard process.life.isOn, !Task.isCancelled else { throw error(.cancelled, operation) }
            let fault = fault(operation, on: thing)
            let isBefore = world.happens(0.5)
            if let fault, isBefore { throw fault }
            let answer = try effect()
            await world.clock.sleep(for: world.latency())
            guard process.life.isOn, !Task.isCancelled else { throw error(.cancelled, operation) }
            if let fault { throw fault }
            if operation != "GetShardIterator" { state.withLock { $0.refusals[thing] = 0 } }
            return answer
        } catch {
            let now = world.clock.uptime
            state.withLock { state in
                if let shard {
                    state.calls.failed(shard, error.kind, at: now)
                } else {
                    state.calls.describeFailed(error.kind, at: now)
                }
            }
            throw error
        }
    }

    private func fault(_ operation: String, on thing: String) -> SourceError? {
        let storm = scenario.storms.first { $0.covers(world.clock.uptime) && !$0.isOfCache }
        guard let storm, world.happens(storm.probability) else { return nil }
        if storm.sparesListings, operation == "DescribeStream" { return nil }
        var kind = storm.kinds[Int(world.random(0...Double(storm.kinds.count) - 0.001))]
        if kind == .expiredIterator, operation != "GetRecords" { kind = .unavailable }
        // A shard that is listed is looked for as long as it takes; all other refusals are believed the third time.
        let isKnowable = operation != "DescribeStream" && !scenario.hasTimelessNames
        let isBelievable = kind == .invalid || kind == .notFound && !isKnowable
        if isBelievable, !storm.isBelieved {
            let count = state.withLock { state in
                state.refusals[thing, default: 0] += 1
                return state.refusals[thing, default: 0]
            }
            if count > 2 { kind = .unavailable }
        }
        return error(kind, operation)
    }

    private func error(_ kind: SourceError.Kind, _ operation: String) -> SourceError {
        world.note("\(operation) fails: \(kind.rawValue)")
        return SourceError(kind, operation: operation, message: "simulated")
    }

    private var isStormy: Bool { world.clock.uptime < scenario.calm }

    // MARK: Invariants

    /// Checks a call that begins now, unless nobody waits for its answer.
    private func check(_ rule: (inout CallInvariants, Duration) -> String?) {
        let now = world.clock.uptime
        let takeUps = world.access(\.notes.takeUps)
        let problem = state.withLock { state in
            if state.takeUps != takeUps { state.calls.beginAnew() }
            state.takeUps = takeUps
            return rule(&state.calls, now)
        }
        guard process.life.isOn, !Task.isCancelled, let problem else { return }
        world.violate(problem)
    }

    private func checkLatest(_ shard: ShardID) {
        let begunAt = process.begunAt.map(world.clock.serviceTime(of:)) ?? .infinity
        let problem = world.access { world -> String? in
            guard world.latestAsked.insert(shard).inserted else {
                return "\(shard) is opened at LATEST twice"
            }
            let createdAt = world.model.shards[shard]?.createdAt ?? 0
            return begunAt < createdAt ? "\(shard) is new and opened at LATEST" : nil
        }
        if let problem { world.violate(problem) }
    }

    /// A shard that is known to be young is opened at its start or after a record: so the service tells what it has trimmed.
    private func checkHorizon(_ shard: ShardID) {
        guard !scenario.refusesStart, scenario.retention == ShardTree.retention,
            let begunAt = process.begunAt.map(world.clock.serviceTime(of:)),
            let createdAt = world.access({ $0.model.shards[shard]?.createdAt }),
            now - createdAt < Self.youth,
            begunAt < createdAt || scenario.start == .trimHorizon && !scenario.hasTimelessNames
        else { return }
        world.violate("\(shard) is young and opened at the horizon")
    }

    /// Every page that was read and is not applied has its bytes set aside.
    private func checkBytes(_ acknowledged: [String: Int]) {
        // Pages that are let go without being applied are none that wait.
        guard scenario.start == .trimHorizon, scenario.refusedKeys == nil, !scenario.refusesPages,
            process.goal == .follow, process.life.isOn, !Task.isCancelled,
            // What is in hand when the positions have to be read again is let go.
            world.access({ $0.isCurrent })
        else { return }
        let bytes = state.withLock { $0.calls.unapplied(acknowledged: acknowledged) }
        guard bytes > process.memory.held else { return }
        world.violate("\(bytes) bytes wait to be applied, \(process.memory.held) are set aside")
    }
}

extension Record.Operation {
    fileprivate var place: Int {
        switch self {
        case .insert: 0
        case .modify: 1
        case .remove: 2
        }
    }
}
