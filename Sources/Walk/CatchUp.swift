/// Which shards a walk to a goal still waits for: those that may hold records from before it.
package struct CatchUp: Sendable {
    /// The time of the goal by the clock of the shards' names, in seconds since 1970.
    private let goal: Double
    /// Whether what was created after that is known to be younger than the goal, and not only than the first listing.
    private let isExact: Bool
    private var awaited: Set<ShardID> = []
    /// Those that had ended by the first listing: their children existed as well, even if no listing has shown them yet.
    private var closed: Set<ShardID> = []
    /// Those that have ended since; the first listing may have been behind.
    private var ended: Set<ShardID> = []
    /// When the last one ended that may have more children than are listed, by ``WalkClock/uptime``.
    private var lastEnd: Duration?
    /// When the last whole listing was begun, by ``WalkClock/uptime``.
    private var listedAt = Duration.zero

    /// Waits for the shards of the first whole listing.
    package init(_ tree: ShardTree, to goal: Double) {
        self.goal = tree.names.time(at: goal)
        isExact = tree.names.agrees
        for (id, node) in tree.nodes {
            if node.phase != .done { awaited.insert(id) }
            if node.phase == .done || node.shard.end != nil { closed.insert(id) }
        }
    }

    /// Takes in a shard that was found later.
    package mutating func found(_ shard: Shard) {
        guard let parent = shard.parent else { return }
        // Without a time in its name, a child of what has ended since would have a child itself, and so on for ever.
        let isOlder = shard.id.creationTime.flatMap { $0 <= goal ? true : isExact ? false : nil }
        guard
            closed.contains(parent) && isOlder != false || ended.contains(parent) && isOlder == true
        else { return }
        awaited.insert(shard.id)
        if shard.end != nil { closed.insert(shard.id) }
    }

    /// Notes that the walk of a shard has come as far as the goal, or can't.
    package mutating func left(_ id: ShardID) { awaited.remove(id) }

    /// Notes that a shard is drained; its children that are known may hold what is older than the goal.
    ///
    /// One that ended a moment ago has the time, `recentlyAt`, with it: more children may come into sight.
    package mutating func ended(
        _ id: ShardID, with children: [Shard], recentlyAt now: Duration? = nil
    ) {
        guard awaited.remove(id) != nil else { return }
        ended.insert(id)
        lastEnd = now ?? lastEnd
        for child in children { found(child) }
    }

    /// Notes a whole listing that was begun at a time.
    package mutating func listed(begunAt: Duration) { listedAt = begunAt }

    /// Whether a later listing may show children of what ended a moment ago.
    package var needsListing: Bool {
        lastEnd.map { listedAt < $0 + DiscoveryPlan.lookingMinimum } ?? false
    }

    /// Whether nothing is waited for any more, but for what stands still behind a shard that was left.
    package func isReached(
        in tree: ShardTree, by plan: DiscoveryPlan, at now: Duration
    ) -> Bool {
        !needsListing && awaited.allSatisfy(tree.isHeldUp)
            && !plan.openEnds.contains { end in
                (closed.contains(end) || ended.contains(end))
                    && plan.isLookingForChildren(of: end, at: now)
            }
    }
}
