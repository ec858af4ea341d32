import Logging
package import Records

/// A stream that can't be walked, or not any more.
package enum WalkError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The stream does not exist, or no more.
    case streamGone(String)

    package var description: String {
        switch self {
        case .streamGone(let reason): "the stream is gone: \(reason)"
        }
    }
}

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
    }

    private let stream: StreamARN
    private let start: StartPosition
    private let mapping: Mapping
    private let goal: Goal
    private let parts: WalkParts<Stream, Cache, Clock>
    private var generator: SeededGenerator

    /// A walk of `stream` from `start`, or from where its progress stands.
    package init(
        _ stream: StreamARN, from start: StartPosition, mapping: Mapping, goal: Goal, seed: UInt64,
        parts: WalkParts<Stream, Cache, Clock>
    ) {
        self.stream = stream
        self.start = start
        self.mapping = mapping
        self.goal = goal
        self.parts = parts
        generator = SeededGenerator(seed: seed)
    }

    /// Walks until the goal is reached, the stream is drained or the task is cancelled.
    ///
    /// - Throws: ``WalkError`` when the service says that there is no such stream.
    package func run() async throws(WalkError) -> Ending {
        var walk = Coordination(
            plan: DiscoveryPlan(at: parts.clock.uptime, generator: generator),
            isNew: !parts.progress.knows(stream), generator: generator)
        let result = await withTaskGroup(of: Event.self) { group in
            proceed(&walk, &group)
            while let event = await group.next() {
                if let ending = handle(event, &walk) {
                    group.cancelAll()
                    // The shards in hand finish their pages and say how far they came.
                    for await event in group { _ = handle(event, &walk) }
                    return ending
                }
                if !Task.isCancelled { proceed(&walk, &group) }
            }
            return .success(.cancelled)
        }
        return try result.get()
    }

    /// What the coordinating task knows beside the progress.
    private struct Coordination {
        var plan: DiscoveryPlan
        var isNew: Bool
        var generator: SeededGenerator
        var firstListing: [Shard] = []
        var status = StreamStatus.enabled
        var isListed = false
        var isCalling = false
        var timer: Duration?
        /// The shards that the goal waits for, once they are known.
        var awaited: Set<ShardID> = []
        /// Those of them that had ended already: their children are as old as they are, and are waited for too.
        var closed: Set<ShardID> = []
        var blocked = 0

        /// Whether the stream is switched off, so that no shard will have another child.
        var isClosing: Bool { status == .disabling || status == .disabled }
    }

    // MARK: Doing

    /// Starts what can be started: shards that are ready, and the next call or the pause before it.
    private func proceed(_ walk: inout Coordination, _ group: inout TaskGroup<Event>) {
        if !walk.isNew {
            for node in parts.progress.visit(stream, { $0.tree.takeReady() }) {
                let id = node.shard.id
                parts.logger.info(
                    "shard opened",
                    metadata: [
                        "shard": "\(id)", "position": "\(node.memory.position)",
                        "table": "\(stream.table)",
                    ])
                let shardWalk = ShardWalk(
                    node.shard, of: stream, mapping: mapping, goal: goal,
                    seed: walk.generator.next(), parts: parts)
                group.addTask {
                    .shard(
                        id,
                        await shardWalk.run(
                            from: node.memory.position, atLatest: node.opensAtLatest))
                }
            }
        }
        guard !walk.isCalling else { return }
        let now = parts.clock.uptime
        switch walk.plan.next(at: now) {
        case .call(let selection):
            walk.isCalling = true
            group.addTask {
                await parts.calls.take()
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

    // MARK: Learning

    private func handle(
        _ event: Event, _ walk: inout Coordination
    ) -> Result<Ending, WalkError>? {
        switch event {
        case .timer(let time):
            if walk.timer == time { walk.timer = nil }
            return nil
        case .shard(let id, let outcome):
            handle(outcome, of: id, &walk)
        case .described(let selection, .success(let description)):
            walk.isCalling = false
            learn(description, from: selection, &walk)
        case .described(let selection, .failure(let error)):
            walk.isCalling = false
            if error.kind == .notFound, case .all = selection {
                return .failure(.streamGone("\(error)"))
            }
            if error.kind != .cancelled {
                walk.plan.failed(selection, as: error.kind, at: parts.clock.uptime)
                parts.failures.note(
                    "discovery/\(error.kind.rawValue)",
                    level: error.kind == .denied ? .error : .warning, at: parts.clock.uptime,
                    "looking for shards failed; trying again",
                    ["stream": "\(stream)", "error": "\(error)"])
            }
        }
        return ending(walk).map(Result.success)
    }

    private func handle(
        _ outcome: ShardWalk<Stream, Cache, Clock>.Outcome, of id: ShardID,
        _ walk: inout Coordination
    ) {
        switch outcome {
        case .ended:
            let hasChildren = parts.progress.update(stream) { stream in
                stream.tree.finish(id, time: parts.clock.time)
                return stream.tree.hasChildren(id)
            }
            if !hasChildren, !walk.isClosing { walk.plan.shardEnded(id, at: parts.clock.uptime) }
            parts.logger.info(
                "shard closed", metadata: ["shard": "\(id)", "table": "\(stream.table)"])
            walk.awaited.remove(id)
        case .caughtUp:
            parts.progress.update(stream) { $0.tree.leave(id) }
            walk.awaited.remove(id)
        case .cancelled:
            parts.progress.update(stream) { $0.tree.leave(id) }
        case .blocked(let reason):
            parts.progress.update(stream) { $0.tree.leave(id, blocked: reason) }
            parts.logger.error(
                "shard stopped; its page is kept for the next start, its children wait",
                metadata: [
                    "stream": "\(stream)", "shard": "\(id)", "reason": "\(reason)",
                ])
            walk.awaited.remove(id)
            walk.blocked += 1
        }
    }

    private func learn(
        _ description: StreamDescription, from selection: ShardSelection,
        _ walk: inout Coordination
    ) {
        let now = parts.clock.uptime
        walk.status = description.status
        let outcome = walk.plan.answered(selection, with: description, at: now)
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
        case .whole(let listed):
            begin(&walk)
            if !walk.isNew {
                parts.progress.update(stream) { stream in
                    stream.tree.completeListing(listed, time: parts.clock.time)
                }
                expect(&walk)
                walk.isListed = true
            }
        }
        settle(&walk, at: now)
    }

    /// Begins a stream that nothing is remembered of, once its shards are known.
    private func begin(_ walk: inout Coordination) {
        // While a stream is being switched on, no shards are listed yet.
        guard walk.isNew, walk.status != .enabling else {
            walk.firstListing = []
            return
        }
        let listing = walk.firstListing
        parts.progress.update(stream) { stream in
            stream.tree.begin(listing, at: start, time: parts.clock.time)
        }
        walk.firstListing = []
        walk.isNew = false
        parts.logger.info(
            "stream opened",
            metadata: [
                "stream": "\(stream)", "start": "\(start.rawValue)", "shards": "\(listing.count)",
            ])
    }

    private func take(_ shards: [Shard], _ walk: inout Coordination) {
        let news = parts.progress.update(stream) { stream in
            stream.tree.learn(shards, time: parts.clock.time)
        }
        for (shard, _) in news {
            guard let parent = shard.parent, walk.closed.contains(parent) else { continue }
            walk.awaited.insert(shard.id)
        }
        for (shard, discovery) in news where discovery == .tooLate {
            parts.progress.addGap(
                Checkpoint.Gap(
                    shard: shard.id, reason: "the shard was listed after its child had begun",
                    noticedAt: parts.clock.time), to: stream)
            parts.logger.error(
                "gap: a shard was listed after its child had begun and is not read",
                metadata: ["stream": "\(stream)", "shard": "\(shard.id)"])
        }
    }

    /// Notes which shards the goal waits for, at the first whole listing.
    private func expect(_ walk: inout Coordination) {
        guard goal != .follow, !walk.isListed else { return }
        let open = parts.progress.visit(stream) { stream in
            stream.tree.nodes.values.filter { node in
                node.memory.position != .end && node.memory.blocked == nil
            }
        }
        walk.awaited = Set(open.map(\.shard.id))
        walk.closed = Set(open.lazy.map(\.shard).filter { $0.end != nil }.map(\.id))
    }

    private func settle(_ walk: inout Coordination, at now: Duration) {
        let ends = walk.plan.openEnds
        let (found, hasOrphans) = parts.progress.visit(stream) { stream in
            (ends.filter(stream.tree.hasChildren), stream.tree.hasOrphans)
        }
        for id in walk.isClosing ? ends : found { walk.plan.settle(id) }
        walk.plan.setUrgent(hasOrphans || walk.isNew, at: now)
    }

    /// Whether there is nothing left to do.
    private func ending(_ walk: Coordination) -> Ending? {
        guard walk.isListed else { return nil }
        if goal != .follow, walk.awaited.isEmpty,
            !walk.closed.contains(where: walk.plan.isSearching)
        {
            return .caughtUp(blocked: walk.blocked)
        }
        guard walk.status == .disabled else { return nil }
        let isDrained = parts.progress.visit(stream) { stream in
            stream.tree.nodes.values.allSatisfy { $0.memory.position == .end }
        }
        guard isDrained else { return nil }
        parts.progress.update(stream) { $0.isDrained = true }
        return .drained
    }
}
