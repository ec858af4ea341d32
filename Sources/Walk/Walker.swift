import Logging
package import Records

/// Walks one stream: finds its shards, reads those that are ready side by side, parents first.
///
/// One task coordinates: it alone decides what is read and what is asked for. Its children do what waits: a task
/// per shard that is being read, and one call to DescribeStream at a time.
package struct Walker<Stream: Source, Cache: Sink, Clock: WalkClock>: Sendable {
    /// How a walk came to its end.
    package enum Ending: Equatable, Sendable {
        /// The task was cancelled; what was applied is recorded.
        case cancelled
        /// The stream was switched off, and everything in it is applied.
        case drained
        /// Every shard that existed at the start is drained or caught up with, but for these.
        case caughtUp(blocked: Int)
    }

    private enum Event: Sendable {
        case shard(ShardID, ShardWalk<Stream, Cache, Clock>.Outcome)
        case described(ShardSelection, Result<StreamDescription, SourceError>)
        case timer(Duration)
        /// The cache told more than that it lives.
        case cache(SinkError?)
    }

    /// How a stretch of the walk came to its end.
    private enum Stretch: Sendable {
        case ended(Ending)
        /// The cache's positions have to be read again.
        case outdated
    }

    private let stream: StreamARN
    private let start: StartPosition
    private let mapping: Mapping
    private let goal: Goal
    private let beginsAnew: Bool
    private let parts: WalkParts<Stream, Cache, Clock>
    private var generator: SeededGenerator

    private var positions: PositionKeeper<Stream, Cache, Clock> {
        PositionKeeper(stream: stream, parts: parts)
    }

    /// A walk of `stream` from where its progress stands, or from `start` if nothing is remembered of it or if it is to
    /// begin anew.
    package init(
        _ stream: StreamARN, from start: StartPosition, anew beginsAnew: Bool = false,
        mapping: Mapping, goal: Goal, seed: UInt64, parts: WalkParts<Stream, Cache, Clock>
    ) {
        self.stream = stream
        self.start = start
        self.mapping = mapping
        self.goal = goal
        self.beginsAnew = beginsAnew
        self.parts = parts
        generator = SeededGenerator(seed: seed)
    }

    /// Walks until the goal is reached, the stream is drained or the task is cancelled.
    ///
    /// Whenever the connection to a cache that holds positions was lost, the walk begins again from them, as it does at the
    /// start: what the cache lost meanwhile is written again.
    ///
    /// - Throws: ``WalkError`` when the service says that there is no such stream, when somebody else applies it, or when
    ///   the cache was emptied and the policy is to stop then.
    package func run() async throws(WalkError) -> Ending {
        var generator = generator
        var beginsAnew = beginsAnew
        while true {
            parts.progress.resume(stream)
            guard let footing = try await positions.takeUp(from: start, anew: beginsAnew) else {
                return .cancelled
            }
            var walk = Coordination(
                plan: DiscoveryPlan(at: parts.clock.uptime, generator: generator),
                footing: footing, isNew: footing.beginning != nil, generator: generator)
            if !walk.isNew {
                walk.blocked = parts.progress.visit(stream) { stream in
                    stream.tree.nodes.values.count { $0.phase == .left }
                }
            }
            let stretch = await run(&walk)
            // A stream that has begun anew is gone on with.
            beginsAnew = beginsAnew && walk.isNew
            generator = walk.generator
            guard case .ended(let ending) = try stretch.get() else { continue }
            // What was lost a moment ago is not noticed yet, and nobody will be there to notice it.
            if ending != .cancelled, let era = footing.era {
                guard let isConfirmed = try await positions.confirm(era: era) else {
                    return .cancelled
                }
                guard isConfirmed else { continue }
            }
            if ending == .drained {
                parts.progress.drain(stream)
                if let era = footing.era { await positions.expire(era: era) }
            }
            return ending
        }
    }

    /// Walks from where the progress and the cache stand.
    private func run(_ walk: inout Coordination) async -> Result<Stretch, WalkError> {
        await withTaskGroup(of: Event.self) { group in
            proceed(&walk, &group)
            while let event = await group.next() {
                var ending = handle(event, &walk)
                if let beginning = walk.beginning.take() {
                    ending = await begin(beginning, &walk)
                }
                if walk.hasGap {
                    walk.hasGap = false
                    // Before the cache has a position behind it: nobody who goes on from there would find it again.
                    if walk.footing.era != nil { await parts.remember() }
                }
                // Shards that are cut short by a stop are no goal reached.
                if let ending, !Task.isCancelled {
                    walk.isLeft = true
                    group.cancelAll()
                    // The shards in hand finish their pages and say how far they came.
                    for await event in group { _ = handle(event, &walk) }
                    return ending
                }
                if !Task.isCancelled { proceed(&walk, &group) }
            }
            return .success(.ended(.cancelled))
        }
    }

    /// A stream that is about to begin, with its first whole listing and when that was begun.
    private struct Beginning {
        let start: StartPosition
        let tree: ShardTree
        let listed: Set<ShardID>
        let begunAt: Duration
    }

    /// What the coordinating task knows beside the progress.
    private struct Coordination {
        var plan: DiscoveryPlan
        let footing: PositionKeeper<Stream, Cache, Clock>.Footing
        var isNew: Bool
        /// Whether somebody looks after the cache's positions.
        var isBeating = false
        /// Whether the cache's positions have to be read again.
        var isOutdated = false
        /// Why the stream is somebody else's, if it is.
        var foreign: String?
        /// Shards that are gone, which is not recorded yet.
        var passing: [ShardID] = []
        /// Finished shards whose positions the cache may forget.
        var over: [ShardID] = []
        /// Shards that are not read, which the cache does not know yet.
        var skipped: [ShardID] = []
        /// The beginning of the stream, once its shards are known.
        var beginning: Beginning?
        /// Whether a gap was noticed just now.
        var hasGap = false
        var generator: SeededGenerator
        var firstListing: [Shard] = []
        /// Whether the last whole listing said that the stream is switched off, so that no shard will begin any more.
        var isDisabled = false
        var isListed = false
        var isCalling = false
        /// Whether this stretch is over, and what it still does is cancelled.
        var isLeft = false
        /// How many shards are being read.
        var readers = 0
        var timer: Duration?
        /// How often in a row the service said that there is no such stream, or that it is none, and since when.
        var refusals = 0
        var refusedSince = Duration.zero
        /// What the goal waits for, once the shards are known.
        var catchUp: CatchUp?
        var blocked = 0
        var missing = MissingShards()
    }

    /// How often, and for how long, a stream has to be refused before that is believed: a young one, or one behind a
    /// server that restarts, is not found for a while.
    private static var refusalsMinimum: Int { 3 }
    private static var refusedMinimum: Duration { .seconds(60) }

    // MARK: Doing

    /// Starts what can be started: shards that are ready, and the next call or the pause before it.
    private func proceed(_ walk: inout Coordination, _ group: inout TaskGroup<Event>) {
        if !walk.isNew {
            for node in parts.progress.visit(stream, { $0.tree.takeReady() }) {
                let id = node.shard.id
                walk.readers += 1
                parts.logger.info(
                    "shard opened",
                    metadata: [
                        "shard": "\(id)", "position": "\(node.memory.position)",
                        "table": "\(stream.table)",
                    ])
                let shardWalk = shardWalk(node.shard, &walk)
                group.addTask {
                    .shard(
                        id,
                        await shardWalk.run(
                            from: node.memory.position, atLatest: node.opensAtLatest))
                }
            }
            recordInCache(&walk, &group)
        }
        guard !walk.isCalling else { return }
        let now = parts.clock.uptime
        switch walk.plan.next(at: now) {
        case .call(let selection):
            walk.isCalling = true
            group.addTask {
                await parts.calls.take()
                parts.progress.noteActivity()
                do throws(SourceError) {
                    return .described(
                        selection,
                        .success(try await parts.source.describe(stream, selection)))
                } catch {
                    return .described(selection, .failure(error))
                }
            }
        case .wait(let until):
            // An earlier timer is set already, or this one replaces a later one, which then finds nothing to do.
            if let timer = walk.timer, timer <= until { return }
            walk.timer = until
            group.addTask {
                await parts.clock.sleep(for: until - now)
                return .timer(until)
            }
        }
    }

    private func shardWalk(
        _ shard: Shard, _ walk: inout Coordination
    ) -> ShardWalk<Stream, Cache, Clock> {
        ShardWalk(
            shard, of: stream, mapping: mapping, goal: goal, era: walk.footing.era,
            seed: walk.generator.next(), parts: parts)
    }

    /// Starts what the cache's positions need: the ends of shards that are gone, the removal of those that are over, the beat.
    private func recordInCache(_ walk: inout Coordination, _ group: inout TaskGroup<Event>) {
        for id in walk.passing {
            guard let node = parts.progress.visit(stream, { $0.tree.nodes[id] }) else { continue }
            let shardWalk = shardWalk(node.shard, &walk)
            walk.readers += 1
            group.addTask {
                let outcome = await shardWalk.finish(from: node.memory.position)
                return .shard(id, outcome == .ended ? .passed : outcome)
            }
        }
        walk.passing = []
        guard let era = walk.footing.era else { return }
        if !walk.over.isEmpty {
            let over = walk.over
            walk.over = []
            group.addTask {
                await positions.forget(over, era: era)
                return .cache(nil)
            }
        }
        if !walk.skipped.isEmpty {
            let skipped = walk.skipped
            walk.skipped = []
            group.addTask { .cache(await positions.pass(skipped, era: era)) }
        }
        guard !walk.isBeating else { return }
        walk.isBeating = true
        group.addTask { .cache(await positions.watch(era: era)) }
    }

    // MARK: Learning

    private func handle(
        _ event: Event, _ walk: inout Coordination
    ) -> Result<Stretch, WalkError>? {
        switch event {
        case .timer(let time):
            if walk.timer == time { walk.timer = nil }
            return nil
        case .cache(nil): return nil
        case .cache(let error?): note(error, &walk)
        case .shard(let id, let outcome):
            walk.readers -= 1
            handle(outcome, of: id, &walk)
        case .described(let selection, .success(let description)):
            walk.isCalling = false
            walk.refusals = 0
            learn(description, from: selection, &walk)
        case .described(let selection, .failure(let error)):
            walk.isCalling = false
            if let refusal = refusal(error, of: selection, &walk) { return .failure(refusal) }
        }
        return stretchEnd(walk)
    }

    /// Whether the stretch is over, and how.
    private func stretchEnd(_ walk: Coordination) -> Result<Stretch, WalkError>? {
        if let reason = walk.foreign { return .failure(.foreign(reason)) }
        if walk.isOutdated { return .success(.outdated) }
        return ending(walk).map { .success(.ended($0)) }
    }

    /// Begins a stream whose shards are known.
    ///
    /// What was remembered of it is true until the cache knows that it begins anew; where nothing was, the beginning is
    /// remembered before anything can follow from it.
    private func begin(
        _ beginning: Beginning, _ walk: inout Coordination
    ) async -> Result<Stretch, WalkError>? {
        let footing = walk.footing
        if footing.before == nil {
            parts.progress.begin(stream, with: beginning.tree)
            walk.isNew = false
            await parts.remember()
        }
        if let era = footing.era {
            let memory = Checkpoint.Stream(
                beginning: beginning.tree.beginning, shards: beginning.tree.memory)
            do throws(WalkError) {
                walk.isOutdated = !(try await positions.establish(memory, era: era))
            } catch {
                return .failure(error)
            }
            guard !walk.isOutdated else { return stretchEnd(walk) }
        }
        if footing.before != nil {
            parts.progress.begin(stream, with: beginning.tree, lost: footing.lost)
            walk.isNew = false
        }
        if footing.era != nil {
            parts.progress.setCached(stream, .current)
            await parts.remember()
        }
        parts.logger.info(
            "stream opened",
            metadata: [
                "stream": "\(stream)", "start": "\(beginning.start.rawValue)",
                "shards": "\(beginning.listed.count)",
            ])
        complete(beginning.listed, begunAt: beginning.begunAt, &walk)
        settle(&walk)
        return stretchEnd(walk)
    }

    private func note(_ error: SinkError, _ walk: inout Coordination) {
        if error.kind == .foreign { walk.foreign = walk.foreign ?? error.message }
        guard error.kind == .outdated, !walk.isOutdated else { return }
        walk.isOutdated = true
        parts.logger.info(
            "the cache's positions are read again",
            metadata: ["stream": "\(stream)", "reason": "\(error)"])
    }

    private func refusal(
        _ error: SourceError, of selection: ShardSelection, _ walk: inout Coordination
    ) -> WalkError? {
        guard error.kind != .cancelled || !(Task.isCancelled || walk.isLeft) else { return nil }
        walk.plan.failed(selection, as: error.kind, at: parts.clock.uptime)
        parts.failures.note(
            "discovery/\(error.kind.rawValue)",
            level: error.kind == .denied ? .error : .warning, at: parts.clock.uptime,
            "looking for shards failed; trying again",
            ["stream": "\(stream)", "error": "\(error)"])
        guard case .all = selection, [.notFound, .invalid].contains(error.kind) else { return nil }
        let now = parts.clock.uptime
        if walk.refusals == 0 { walk.refusedSince = now }
        walk.refusals += 1
        guard walk.refusals >= Self.refusalsMinimum, now - walk.refusedSince >= Self.refusedMinimum
        else { return nil }
        return error.kind == .notFound ? .streamGone("\(error)") : .refused("\(error)")
    }

    private func handle(
        _ outcome: ShardWalk<Stream, Cache, Clock>.Outcome, of id: ShardID,
        _ walk: inout Coordination
    ) {
        switch outcome {
        case .ended:
            parts.progress.visit(stream) { $0.tree.noteRead(id, time: parts.clock.time) }
            finish(id, &walk)
        case .passed: finish(id, &walk)
        case .gone(let hasRead):
            let now = parts.clock.uptime
            walk.missing.note(id, afterPages: hasRead, at: now)
            let isOver = parts.progress.visit(stream) { stream in
                stream.tree.isOverdue(id, time: parts.clock.time)
            }
            // After days without a walk there are many generations of these, and no listing could say more.
            if isOver {
                confirmMissing(id, isListed: true, &walk)
            } else {
                walk.missing.awaitListing(of: id, from: now)
            }
        case .caughtUp:
            parts.progress.update(stream) { $0.tree.leave(id) }
            walk.catchUp?.left(id)
        case .cancelled:
            parts.progress.update(stream) { $0.tree.leave(id) }
        case .outdated(let reason):
            parts.progress.update(stream) { $0.tree.leave(id) }
            note(SinkError(.outdated, reason), &walk)
        case .foreign(let reason):
            parts.progress.update(stream) { $0.tree.leave(id) }
            note(SinkError(.foreign, reason), &walk)
        case .blocked(let reason):
            parts.progress.update(stream) { $0.tree.leave(id, blocked: reason) }
            parts.logger.error(
                "shard stopped; its page is kept for the next start, its children wait",
                metadata: [
                    "stream": "\(stream)", "shard": "\(id)", "reason": "\(reason)",
                ])
            walk.catchUp?.left(id)
            walk.blocked += 1
        }
        settle(&walk)
    }

    private func finish(_ id: ShardID, _ walk: inout Coordination) {
        let time = parts.clock.time
        let (children, isRecent, recovery) = parts.progress.update(stream) { stream in
            stream.tree.finish(id, time: time)
            return (
                stream.tree.children(of: id), stream.tree.hasEndedRecently(id, time: time),
                stream.noteRecovered(id, upTo: .end)
            )
        }
        parts.report(recovery, of: stream)
        // Children that are known are not looked for.
        if children.isEmpty { walk.plan.shardEnded(id, at: parts.clock.uptime) }
        walk.catchUp?.ended(
            id, with: children, recentlyAt: isRecent ? parts.clock.uptime : nil)
        walk.missing.forget(id)
        parts.logger.info(
            "shard closed", metadata: ["shard": "\(id)", "table": "\(stream.table)"])
    }

    private func learn(
        _ description: StreamDescription, from selection: ShardSelection,
        _ walk: inout Coordination
    ) {
        let outcome = walk.plan.answered(selection, with: description, at: parts.clock.uptime)
        if walk.isNew {
            walk.firstListing += description.shards
        } else {
            take(description.shards, &walk)
        }
        switch outcome {
        case .partial: break
        case .endless:
            parts.logger.warning(
                "the list of shards did not come to an end; it is asked for again",
                metadata: ["stream": "\(stream)"])
            walk.firstListing = []
        case .whole(let listed, let begunAt):
            walk.isDisabled = description.status == .disabled
            guard walk.isNew else {
                complete(listed, begunAt: begunAt, &walk)
                break
            }
            // While a stream is being switched on, no shards are listed yet.
            if description.status != .enabling, let start = walk.footing.beginning {
                let tree = ShardTree(
                    walk.firstListing, at: start, time: parts.clock.time,
                    isServiceTime: parts.clock.isServiceTime)
                walk.beginning = Beginning(
                    start: start, tree: tree, listed: listed, begunAt: begunAt)
            }
            walk.firstListing = []
        }
        settle(&walk)
    }

    private func take(_ shards: [Shard], _ walk: inout Coordination) {
        let news = parts.progress.visit(stream) { stream in
            stream.tree.learn(shards, time: parts.clock.time)
        }
        if !news.isEmpty { parts.progress.noteChange() }
        for parent in news.compactMap(\.shard.parent) { walk.plan.settle(parent) }
        if walk.footing.era != nil {
            walk.skipped += news.filter { $0.discovery != .found }.map(\.shard.id)
        }
        for (shard, discovery) in news {
            switch discovery {
            case .found: walk.catchUp?.found(shard)
            case .tooOld: break
            case .tooLate:
                addGap(
                    &walk, shard.id,
                    "the shard was listed after its child had begun, and is not read")
            }
        }
    }

    private func addGap(_ walk: inout Coordination, _ shard: ShardID, _ reason: String) {
        parts.addGap(to: stream, shard, reason)
        walk.hasGap = true
    }

    /// Draws the conclusions from a whole listing.
    private func complete(
        _ listed: Set<ShardID>, begunAt: Duration, _ walk: inout Coordination
    ) {
        let time = parts.clock.time
        let (over, bereft) = parts.progress.visit(stream) { stream in
            (
                walk.footing.era == nil ? [] : stream.tree.takeOver(listed, time: time),
                stream.tree.completeListing(listed, time: time, uptime: parts.clock.uptime)
            )
        }
        walk.over += over
        positions.giveUpUnlisted()
        for id in bereft {
            addGap(
                &walk, id, "the shard before this one is not listed, and was never read")
        }
        for id in walk.missing.takeThose(before: begunAt) {
            confirmMissing(id, isListed: listed.contains(id), &walk)
        }
        walk.catchUp?.listed(begunAt: begunAt)
        guard !walk.isListed else { return }
        walk.isListed = true
        let recent = parts.progress.visit(stream) { stream in
            if case .catchUp(let time) = goal { walk.catchUp = CatchUp(stream.tree, to: time) }
            return stream.tree.recentEnds(time: time)
        }
        for id in recent { walk.plan.shardEnded(id, at: parts.clock.uptime) }
    }

    /// Ends a shard that can't be found while its stream can.
    ///
    /// One that can't have aged out is tried again first, for a while; and for as long as it takes if it is listed and nothing
    /// continues it, as nothing waits for it then.
    private func confirmMissing(_ id: ShardID, isListed: Bool, _ walk: inout Coordination) {
        let isBelieved = walk.missing.isBelieved(id, at: parts.clock.uptime)
        let time = parts.clock.time
        let isLost = parts.progress.update(stream) { stream -> Bool? in
            let isMistake =
                stream.tree.isTooYoungToBeGone(id, time: time)
                || isListed && !stream.tree.isClosed(id)
            let mayPass = isBelieved && (!isListed || stream.tree.hasChildren(id))
            guard !isMistake || mayPass else {
                stream.tree.retry(id)
                return nil
            }
            let isEarly = stream.tree.noteGone(id, time: time)
            return isMistake || isEarly || stream.tree.mayHoldMore(id)
        }
        guard let isLost else {
            if isBelieved {
                parts.failures.note(
                    "missing", level: .error, at: parts.clock.uptime,
                    "a shard is listed and can't be found; somebody has to look at the service, trying again",
                    ["stream": "\(stream)", "shard": "\(id)"])
            }
            return
        }
        if isLost {
            addGap(
                &walk, id, "the shard is gone; what it held after its position is not known")
        }
        walk.passing.append(id)
    }

    /// Tells the plan what is known by now, and what is waited for.
    private func settle(_ walk: inout Coordination) {
        let now = parts.clock.uptime
        guard !walk.isNew else { return walk.plan.setUrgent(true, at: now) }
        let hasOrphans = parts.progress.visit(stream) { $0.tree.hasOrphans }
        let isWaiting = hasOrphans || walk.missing.isWaiting || walk.catchUp?.needsListing == true
        walk.plan.setUrgent(isWaiting, at: now)
    }

    /// Whether there is nothing left to do.
    private func ending(_ walk: Coordination) -> Ending? {
        // Shards that were left because of a cancellation have not reached anything.
        guard walk.isListed, !Task.isCancelled else { return nil }
        let now = parts.clock.uptime
        let (isCaughtUp, isDone) = parts.progress.visit(stream) { stream in
            (
                walk.catchUp?.isReached(in: stream.tree, by: walk.plan, at: now) ?? false,
                // A stream that is switched off ends shard by shard: they are looked through after the last one alone.
                walk.isDisabled && walk.readers == 0
                    && stream.tree.nodes.values.allSatisfy { $0.phase == .done }
            )
        }
        if isCaughtUp { return .caughtUp(blocked: walk.blocked) }
        guard isDone, !walk.plan.isLookingForChildren(at: now) else { return nil }
        return .drained
    }
}
