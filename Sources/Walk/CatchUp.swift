/// Which shards a walk to a goal still waits for: all that existed when it began.
package struct CatchUp: Sendable {
    private var awaited: Set<ShardID> = []
    /// Those that had ended by then: their children existed as well, even if no listing has shown them yet.
    private var closed: Set<ShardID> = []

    /// Waits for the shards of the first whole listing.
    package init(_ tree: ShardTree) {
        for (id, node) in tree.nodes {
            if node.phase != .done { awaited.insert(id) }
            if node.phase == .done || node.shard.end != nil { closed.insert(id) }
        }
    }

    /// Takes in a shard that was found later.
    package mutating func found(_ shard: Shard) {
        guard let parent = shard.parent, closed.contains(parent) else { return }
        awaited.insert(shard.id)
        if shard.end != nil { closed.insert(shard.id) }
    }

    /// Notes that the walk of a shard has come to its end, or as far as the goal.
    package mutating func left(_ id: ShardID) { awaited.remove(id) }

    /// Whether nothing is waited for any more, but for what stands still behind a shard that was left.
    package func isReached(
        in tree: ShardTree, by plan: DiscoveryPlan, at now: Duration
    ) -> Bool {
        awaited.allSatisfy(tree.isHeldUp)
            && !plan.openEnds.contains { end in
                closed.contains(end) && plan.isLookingForChildren(of: end, at: now)
            }
    }
}
