import Records
import Testing
import Walk

/// Whatever DescribeStream says, and in whatever order, a shard is read once and after its parent.
///
/// None is left out without a word. Method: listings as values, and what the tree hands out.
@Suite struct ShardTreeTests {
    let old = shardID(30)
    let parent = shardID(6)
    let child = shardID(2)
    let grandchild = shardID(1)

    /// A parent of which a child is known, both begun at the horizon.
    var family: [Shard] { [shard(parent, closed: true), shard(child, parent: parent)] }

    // MARK: Order

    @Test(arguments: [false, true])
    func `a child is handed out when its parent is done, in whatever order they are listed`(
        isReversed: Bool
    ) {
        let listing = family + [shard(grandchild, parent: child)]
        var tree = ShardTree(isReversed ? listing.reversed() : listing, at: .trimHorizon, time: now)
        #expect(tree.take() == [parent])
        #expect(tree.take() == [])
        tree.finish(parent, time: now)
        #expect(tree.take() == [child])
        tree.finish(child, time: now)
        #expect(tree.take() == [grandchild])
    }

    @Test func `both children of a split begin together`() {
        let sibling = shardID(2, 1)
        var tree = ShardTree(family + [shard(sibling, parent: parent)], at: .trimHorizon, time: now)
        #expect(tree.take() == [parent])
        tree.finish(parent, time: now)
        #expect(tree.take() == [child, sibling].sorted())
    }

    @Test func `a shard that stopped early holds up its descendants`() {
        var tree = ShardTree(
            family + [shard(grandchild, parent: child)], at: .trimHorizon, time: now)
        _ = tree.take()
        #expect(!tree.isHeldUp(grandchild))
        tree.leave(parent, blocked: "refused")
        #expect(tree.take() == [])
        #expect(tree.isHeldUp(parent) && tree.isHeldUp(child) && tree.isHeldUp(grandchild))
        var next = tree.restarted
        #expect(next.nodes[parent]?.memory.blocked == nil)
        #expect(next.take() == [parent])
    }

    @Test func `a shard that names itself as its parent is read`() {
        var tree = ShardTree([shard(child, parent: child)], at: .trimHorizon, time: now)
        #expect(tree.take() == [child])
    }

    @Test func `shards that are each other's parents are read`() {
        var tree = ShardTree(
            [shard(parent, parent: child), shard(child, parent: parent)], at: .trimHorizon,
            time: now)
        #expect(tree.take() == [child])
        tree.finish(child, time: now)
        #expect(tree.take() == [parent])
    }

    // MARK: Positions in the cache

    @Test func `positions without a lineage are given theirs by the next listing`() {
        var tree = ShardTree(
            Checkpoint.Stream(
                beginning: Checkpoint.Beginning(time: now),
                shards: [
                    parent: Checkpoint.Shard(position: .end, finishedAt: now),
                    child: Checkpoint.Shard(position: .after(number(5))),
                ]))
        #expect(tree.take() == [child])
        tree.list(family)
        #expect(tree.children(of: parent).map(\.id) == [child])
        #expect(tree.memory[child]?.parent == parent)
    }

    @Test
    func `the cache forgets a shard that is listed no more, once, when its children carry on`() {
        let sibling = shardID(2, 1)
        var tree = ShardTree(family + [shard(sibling, parent: parent)], at: .trimHorizon, time: now)
        _ = tree.take()
        tree.finish(parent, time: now)
        _ = tree.take()
        tree.advance(child, to: number(5), recordTime: now)
        let later = now + hour
        #expect(tree.takeOver([child, sibling], time: later) == [])
        tree.advance(sibling, to: number(6), recordTime: now)
        #expect(tree.takeOver([parent, child, sibling], time: later) == [])
        // A listing of this moment may be behind.
        #expect(tree.takeOver([child, sibling], time: now + 10) == [])
        #expect(tree.takeOver([child, sibling], time: later) == [parent])
        #expect(tree.takeOver([child, sibling], time: later) == [])
    }

    @Test func `the cache keeps the end of a shard that nothing continues for two days`() {
        var tree = ShardTree([shard(parent, closed: true)], at: .trimHorizon, time: now)
        _ = tree.take()
        tree.finish(parent, time: now)
        #expect(tree.takeOver([], time: now + 47 * hour) == [])
        #expect(tree.takeOver([], time: now + 49 * hour) == [parent])
    }

    // MARK: Beginning

    @Test func `at the horizon, what can't be trimmed yet begins at its own start`() {
        let tree = ShardTree(
            [shard(old, closed: true), shard(shardID(25), parent: old), shard(parent)],
            at: .trimHorizon, time: now)
        #expect(tree.nodes[old]?.memory.position == .trimHorizon)
        #expect(tree.nodes[shardID(25)]?.memory.position == .trimHorizon)
        #expect(tree.nodes[parent]?.memory.position == .start(number(1)))
    }

    @Test func `at the horizon, a shard of unknown age begins at its start if its parent is kept`()
    {
        let tree = ShardTree(
            [shard(ShardID("a")), shard(ShardID("b"), parent: ShardID("a"))], at: .trimHorizon,
            time: now)
        #expect(tree.nodes[ShardID("a")]?.memory.position == .trimHorizon)
        #expect(tree.nodes[ShardID("b")]?.memory.position == .start(number(1)))
    }

    @Test func `at LATEST only open shards are read, and they from this moment on`() {
        // The grandchild's page came later than that of its parent, which still seemed open.
        var tree = ShardTree(
            [
                shard(parent, closed: true), shard(child, parent: parent),
                shard(grandchild, parent: child), shard(shardID(3), parent: old),
            ], at: .latest, time: now)
        let ready = tree.takeReady()
        #expect(ready.map(\.shard.id).sorted() == [shardID(3), grandchild])
        #expect(ready.map(\.opensAtLatest) == [true, true])
        #expect(
            tree.nodes[grandchild]?.memory.position == .since(now - StartPosition.clockTolerance))
        #expect(tree.nodes[child]?.memory.position == .end)
        #expect(tree.nodes[parent]?.memory.position == .end)
    }

    @Test(arguments: [(true, now), (false, now), (true, now + 5 * hour), (true, now - 30 * hour)])
    func `nothing is left out at LATEST by a clock that may not be the records' own`(
        isServiceTime: Bool, time: Double
    ) {
        let tree = ShardTree(
            [shard(shardID(2))], at: .latest, time: time, isServiceTime: isServiceTime)
        let isKnown = isServiceTime && time == now
        let before = isKnown ? now - StartPosition.clockTolerance : 0
        #expect(tree.nodes[shardID(2)]?.memory.position == .since(before))
        #expect(tree.beginning.leftOutBefore == before)
        let timeless = ShardTree([shard(ShardID("a"))], at: .latest, time: now)
        #expect(timeless.nodes[ShardID("a")]?.memory.position == .since(0))
    }

    @Test func `a shard that is tried again is not opened at LATEST again`() throws {
        var tree = ShardTree([shard(parent)], at: .latest, time: now)
        #expect(tree.takeReady().map(\.opensAtLatest) == [true])
        tree.advance(parent, to: number(5), recordTime: now)
        tree.retry(parent)
        let again = try #require(tree.takeReady().first)
        #expect(!again.opensAtLatest)
        #expect(again.memory.position == .after(number(5)))
    }

    @Test func `what is found after LATEST is read from its beginning`() {
        var tree = ShardTree([shard(parent)], at: .latest, time: now)
        _ = tree.take()
        let new = shardID(-1)
        tree.list([shard(parent, closed: true), shard(new, parent: parent)], time: now + hour)
        #expect(tree.take() == [])
        tree.finish(parent, time: now + hour)
        let node = tree.takeReady().first
        #expect(node?.shard.id == new)
        #expect(node?.opensAtLatest == false)
        #expect(node?.memory.position == .start(number(1)))
    }

    @Test func `a shard that LATEST missed is read from that moment, after its parent`() {
        var tree = ShardTree([shard(parent), shard(shardID(1, 1))], at: .latest, time: now)
        _ = tree.take()
        tree.list([shard(child, parent: parent)])
        #expect(tree.take() == [])
        tree.finish(parent, time: now)
        #expect(tree.take() == [child])
        #expect(tree.nodes[child]?.memory.position == .since(now - StartPosition.clockTolerance))
    }

    @Test
    func `after a restart a shard that was opened at LATEST is read on, not opened there again`() {
        let tree = ShardTree([shard(child, parent: parent)], at: .latest, time: now)
        var next = tree.restarted
        let node = next.takeReady().first
        #expect(node?.shard.id == child)
        #expect(node?.opensAtLatest == false)
        #expect(node?.memory.position == .since(now - StartPosition.clockTolerance))
    }

    // MARK: Parents that are not listed

    @Test func `a child older than the retention does not wait for a parent that is not listed`() {
        var tree = ShardTree([shard(shardID(26), parent: old)], at: .trimHorizon, time: now)
        #expect(tree.take() == [])
        #expect(tree.hasOrphans)
        #expect(tree.completeListing([shardID(26)], time: now) == [])
        #expect(tree.take() == [shardID(26)])
        #expect(!tree.hasOrphans)
    }

    @Test func `a young child waits for three whole listings over ten seconds`() {
        let orphan = shard(child, parent: parent)
        var tree = ShardTree([shard(old)], at: .trimHorizon, time: now - 3 * hour)
        _ = tree.take()
        for seconds in [0.0, 1, 2, 3, 9] {
            #expect(tree.list([shard(old), orphan], time: now + seconds) == [])
            #expect(tree.take() == [] && tree.hasOrphans)
        }
        // It was made while the stream was read: what its parent held is lost.
        #expect(tree.list([shard(old), orphan], time: now + 10) == [child])
        #expect(tree.take() == [child] && !tree.hasOrphans)
    }

    @Test func `a parent that is listed in the meantime comes first`() {
        let orphan = shard(child, parent: parent)
        var tree = ShardTree([orphan], at: .trimHorizon, time: now)
        _ = tree.completeListing([child], time: now)
        tree.list([orphan, shard(parent, closed: true)])
        #expect(tree.take() == [parent])
        for _ in 1...5 { tree.list([orphan, shard(parent, closed: true)]) }
        #expect(tree.take() == [])
        tree.finish(parent, time: now)
        #expect(tree.take() == [child])
    }

    @Test func `a parent that was trimmed before the beginning is no loss`() {
        let orphan = shard(shardID(24.5), parent: old)
        var tree = ShardTree([orphan], at: .trimHorizon, time: now)
        for place in 1...3 {
            #expect(tree.completeListing([shardID(24.5)], time: now + 5 * Double(place)) == [])
        }
        #expect(tree.take() == [shardID(24.5)])
    }

    @Test func `a shard that is listed after its child has begun is passed over and reported`() {
        let orphan = shard(child, parent: parent)
        let sibling = shard(shardID(2, 1), parent: parent)
        var tree = ShardTree([orphan], at: .trimHorizon, time: now)
        for place in 1...3 { _ = tree.completeListing([child], time: now + 5 * Double(place)) }
        #expect(tree.take() == [child])
        _ = tree.learn([sibling], time: now)
        #expect(tree.take() == [])
        let news = tree.learn([shard(parent, closed: true)], time: now)
        #expect(news.map(\.discovery) == [.tooLate])
        // The sibling does not wait for what will never be read.
        #expect(tree.take() == [shardID(2, 1)])
    }

    @Test func `a shard that is listed late but was over before LATEST is no loss`() {
        var tree = ShardTree([shard(child, parent: parent)], at: .latest, time: now)
        _ = tree.take()
        let news = tree.learn([shard(parent, closed: true)], time: now)
        #expect(news.map(\.discovery) == [.tooOld])
        #expect(tree.take() == [])
    }

    // MARK: Memory

    @Test func `a restart remembers every position and who waits for whom`() {
        var tree = ShardTree(
            family + [shard(grandchild, parent: child), shard(shardID(5, 7))], at: .trimHorizon,
            time: now)
        _ = tree.take()
        tree.advance(shardID(5, 7), to: number(3), recordTime: 1)
        tree.finish(parent, time: now)
        var next = tree.restarted
        #expect(next.memory == tree.memory)
        #expect(next.take() == [shardID(5, 7), child].sorted())
        #expect(next.nodes[parent]?.phase == .done)
    }

    @Test func `what has begun never waits for its parent again`() {
        var tree = ShardTree([shard(child, parent: parent)], at: .trimHorizon, time: now)
        for place in 1...3 { _ = tree.completeListing([child], time: now + 5 * Double(place)) }
        _ = tree.take()
        tree.advance(child, to: number(3), recordTime: nil)
        var next = tree.restarted
        #expect(next.take() == [child])
    }

    @Test func `finished shards are remembered for 48 hours and as long as they are listed`() {
        var tree = ShardTree([shard(parent, closed: true)], at: .trimHorizon, time: now)
        _ = tree.take()
        tree.finish(parent, time: now)
        tree.list([], time: now + 47 * hour)
        #expect(tree.nodes[parent] != nil)
        tree.list([shard(parent, closed: true)], time: now + 49 * hour)
        #expect(tree.nodes[parent] != nil && tree.take() == [])
        tree.list([], time: now + 50 * hour)
        #expect(tree.nodes[parent] == nil)
    }

    @Test
    func `a finished parent is remembered until its children have something to be remembered by`() {
        var tree = ShardTree(family, at: .trimHorizon, time: now)
        _ = tree.take()
        tree.finish(parent, time: now)
        #expect(tree.take() == [child])
        tree.list([shard(child, parent: parent)], time: now + 50 * hour)
        #expect(tree.nodes[parent] != nil)
        tree.advance(child, to: number(2), recordTime: nil)
        tree.list([shard(child, parent: parent)], time: now + 51 * hour)
        #expect(tree.nodes[parent] == nil)
        var next = tree.restarted
        #expect(next.take() == [child])
    }

    @Test func `a page that is behind does not open a shard again`() {
        var tree = ShardTree([shard(parent, closed: true)], at: .trimHorizon, time: now)
        tree.list([shard(parent)])
        #expect(tree.nodes[parent]?.shard.end == number(9))
        #expect(tree.isClosed(parent))
    }

    @Test(arguments: [
        (Position.trimHorizon, false), (.start(number(1)), true), (.since(now), true),
        (.after(number(8)), true), (.after(number(9)), false),
    ])
    func `a shard that is gone may have held more, or not`(position: Position, isLoss: Bool) {
        var tree = ShardTree(
            Checkpoint.Stream(
                beginning: Checkpoint.Beginning(time: now),
                shards: [parent: Checkpoint.Shard(position: position)]))
        _ = tree.learn([shard(parent, closed: true)], time: now)
        #expect(tree.mayHoldMore(parent) == isLoss)
    }

    @Test func `ends that are new and childless are looked after`() {
        var tree = ShardTree(family + [shard(shardID(5, 7))], at: .trimHorizon, time: now)
        _ = tree.take()
        tree.finish(parent, time: now)
        tree.finish(shardID(5, 7), time: now)
        #expect(tree.recentEnds(time: now + 1) == [shardID(5, 7)])
        #expect(tree.recentEnds(time: now + 400) == [])
    }
}
