import Records
import Testing
import Walk

/// A walk to a goal ends when all that existed at its start is done, neither before nor never.
@Suite struct CatchUpTests {
    let first = shardID(6)
    let second = shardID(2)
    let third = shardID(1)
    /// A moment between the second shard's beginning and the third one's.
    let goal = now - 1.5 * hour
    var plan = DiscoveryPlan(at: .zero, generator: SeededGenerator(seed: 1))

    @Test func `all shards of the first listing are waited for`() {
        var tree = ShardTree(
            [shard(first, closed: true), shard(second, parent: first)], at: .trimHorizon, time: now)
        var catchUp = CatchUp(tree, to: goal)
        _ = tree.take()
        tree.finish(first, time: now)
        catchUp.ended(first, with: tree.children(of: first))
        #expect(!catchUp.isReached(in: tree, by: plan, at: .zero))
        _ = tree.take()
        tree.leave(second)
        catchUp.left(second)
        #expect(catchUp.isReached(in: tree, by: plan, at: .zero))
    }

    @Test
    mutating func `a child that was there but not listed is waited for, a younger one is not`() {
        var tree = ShardTree([shard(first, closed: true)], at: .trimHorizon, time: now)
        var catchUp = CatchUp(tree, to: goal)
        _ = tree.take()
        tree.finish(first, time: now)
        catchUp.ended(first, with: tree.children(of: first))
        plan.shardEnded(first, at: .zero)
        #expect(!catchUp.isReached(in: tree, by: plan, at: .zero))
        let child = shard(second, parent: first)
        _ = tree.learn([child], time: now)
        catchUp.found(child)
        plan.settle(first)
        #expect(!catchUp.isReached(in: tree, by: plan, at: .zero))
        _ = tree.take()
        tree.finish(second, time: now)
        catchUp.ended(second, with: [])
        plan.shardEnded(second, at: .zero)
        #expect(!catchUp.isReached(in: tree, by: plan, at: .zero))
        let grandchild = shard(third, parent: second)
        _ = tree.learn([grandchild], time: now)
        catchUp.found(grandchild)
        plan.settle(second)
        #expect(catchUp.isReached(in: tree, by: plan, at: .zero))
    }

    @Test func `a child that was found while its parent was read is waited for if it is older`() {
        for (goal, isAwaited) in [(now - 3 * hour, false), (now, true)] {
            var tree = ShardTree([shard(first)], at: .trimHorizon, time: now)
            var catchUp = CatchUp(tree, to: goal)
            _ = tree.take()
            let child = shard(second, parent: first)
            _ = tree.learn([child], time: now)
            catchUp.found(child)
            tree.finish(first, time: now)
            catchUp.ended(first, with: tree.children(of: first))
            #expect(catchUp.isReached(in: tree, by: plan, at: .zero) != isAwaited)
        }
    }

    @Test func `what waits behind a shard that somebody has to look at is not waited for`() {
        var tree = ShardTree(
            [
                shard(first, closed: true), shard(second, parent: first),
                shard(third, parent: second),
            ],
            at: .trimHorizon, time: now)
        var catchUp = CatchUp(tree, to: goal)
        _ = tree.take()
        #expect(!catchUp.isReached(in: tree, by: plan, at: .zero))
        tree.leave(first, blocked: "refused")
        catchUp.left(first)
        #expect(catchUp.isReached(in: tree, by: plan, at: .zero))
    }
}
