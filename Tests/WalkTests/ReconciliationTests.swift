import Records
import Testing
import Walk

/// Where the cache has a position, it wins; where it has none, that says what is lost.
@Suite struct ReconciliationTests {
    let parent = shardID(6)
    let child = shardID(2)
    let beginning = Checkpoint.Beginning(time: now - 10 * hour)

    private func after(_ place: Int) -> Position { .after(number(place)) }

    /// A checkpoint of the parent and its child.
    private func file(
        _ parentPosition: Position?, _ childPosition: Position? = nil,
        cached: Checkpoint.CachedPositions = .current,
        lost: [ShardID: Position] = [:]
    ) -> Checkpoint.Stream {
        var stream = Checkpoint.Stream(beginning: beginning, cached: cached, lost: lost)
        stream.shards[parent] = parentPosition.map { position in
            Checkpoint.Shard(position: position, finishedAt: position == .end ? now : nil)
        }
        stream.shards[child] = childPosition.map { Checkpoint.Shard(position: $0, parent: parent) }
        return stream
    }

    private func cache(
        _ parentPosition: Position? = nil, _ childPosition: Position? = nil,
        isComplete: Bool = true, isEvicted: Bool = false
    ) -> CacheMemory {
        var memory = CacheMemory(
            era: 1, beginning: isComplete ? beginning : nil, isEvicted: isEvicted)
        memory.positions[parent] = parentPosition
        memory.positions[child] = childPosition
        return memory
    }

    private func outcome(
        _ file: Checkpoint.Stream?, _ cache: CacheMemory, onLoss policy: CacheLossPolicy = .rewind
    ) -> Reconciliation {
        Reconciliation(file, cache, onLoss: policy, time: now)
    }

    /// What the walk goes on with; nil where it does not go on, or has to write the positions first.
    private func merged(_ file: Checkpoint.Stream?, _ cache: CacheMemory) -> Checkpoint.Stream? {
        guard case .resume(let stream, unwritten: false) = outcome(file, cache) else { return nil }
        return stream
    }

    // MARK: Nothing on one side

    @Test func `a stream that nobody knows begins`() {
        #expect(outcome(nil, cache(isComplete: false)) == .begin)
        // Positions that are not complete are none.
        #expect(outcome(nil, cache(after(3), isComplete: false)) == .begin)
    }

    @Test func `without a checkpoint, the cache is enough`() throws {
        let stream = try #require(merged(nil, cache(.end, after(3))))
        #expect(stream.beginning == beginning)
        #expect(stream.cached == .current)
        #expect(stream.lost.isEmpty)
        #expect(stream.shards[parent] == Checkpoint.Shard(position: .end, finishedAt: now))
        #expect(stream.shards[child] == Checkpoint.Shard(position: after(3)))
    }

    @Test func `positions that were never written there are written, whatever the policy`() {
        for policy in CacheLossPolicy.allCases {
            let known = file(.end, after(3), cached: .never)
            #expect(
                outcome(known, cache(isComplete: false), onLoss: policy)
                    == .resume(known, unwritten: true))
        }
    }

    @Test func `an emptied cache is refilled, or not, or somebody decides`() {
        let known = file(.end, after(3), lost: [child: after(8)])
        let empty = cache(isComplete: false)
        #expect(outcome(known, empty) == .refill(lost: [parent: .end, child: after(8)]))
        #expect(outcome(known, empty, onLoss: .resume) == .resume(known, unwritten: true))
        #expect(outcome(known, empty, onLoss: .stop) == .stop)
    }

    @Test func `a cache that had nothing yet has lost nothing`() {
        let known = file(.start(number(1)))
        #expect(outcome(known, cache(isComplete: false)) == .resume(known, unwritten: true))
    }

    @Test(arguments: [CacheLossPolicy.rewind, .resume, .stop])
    func `evicted positions are written again, with the steps made since`(policy: CacheLossPolicy) {
        let known = file(.end, after(3))
        #expect(
            outcome(known, cache(isComplete: false, isEvicted: true), onLoss: policy)
                == .resume(known, unwritten: true))
        #expect(
            outcome(known, cache(nil, after(5), isComplete: false, isEvicted: true), onLoss: policy)
                == .resume(file(.end, after(5)), unwritten: true))
        // An older one is from a write that came late, and says nothing.
        #expect(
            outcome(known, cache(nil, after(2), isComplete: false, isEvicted: true), onLoss: policy)
                == .resume(known, unwritten: true))
    }

    // MARK: Both sides

    @Test func `equal positions change nothing`() {
        let known = file(.end, after(3))
        #expect(merged(known, cache(.end, after(3))) == known)
    }

    @Test func `a cache that is ahead wins`() throws {
        let stream = try #require(merged(file(after(5)), cache(.end, after(2))))
        #expect(stream.shards[parent]?.position == .end)
        #expect(stream.shards[parent]?.finishedAt == now)
        #expect(stream.shards[child]?.position == after(2))
        #expect(stream.lost.isEmpty)
    }

    @Test func `a shard is rewound to what the cache has, and its parent is known all the same`()
        throws
    {
        let stream = try #require(merged(file(.end, after(7)), cache(.end, after(3))))
        #expect(stream.shards[child] == Checkpoint.Shard(position: after(3), parent: parent))
        #expect(stream.lost == [child: after(7)])
    }

    @Test func `a parent is rewound with its child, which is found again after it`() throws {
        let stream = try #require(merged(file(.end, after(7)), cache(after(3))))
        #expect(stream.shards[parent]?.position == after(3))
        #expect(stream.shards[parent]?.finishedAt == nil)
        #expect(stream.shards[child] == nil)
        #expect(stream.lost == [parent: .end, child: after(7)])
    }

    @Test func `a position that was forgotten because a child carries on is not missed`() {
        let known = file(.end, after(7))
        #expect(merged(known, cache(nil, after(7))) == known)
    }

    @Test func `a shard that is over is missed if nothing after it is there`() throws {
        let stream = try #require(merged(file(.end, .start(number(1))), cache()))
        #expect(stream.shards[parent] == nil)
        #expect(stream.shards[child]?.position == .start(number(1)))
        #expect(stream.lost == [parent: .end])
    }

    @Test(arguments: [Position.trimHorizon, .start(number(1)), .since(now)])
    func `what has not begun is not missed`(position: Position) {
        let known = file(.end, position)
        #expect(merged(known, cache(.end)) == known)
    }

    @Test func `what was lost stays so until it is there, and the furthest of two losses counts`()
        throws
    {
        let known = file(.end, after(5), lost: [child: after(9)])
        #expect(try #require(merged(known, cache(.end, after(5)))).lost == [child: after(9)])
        #expect(try #require(merged(known, cache(.end, after(3)))).lost == [child: after(9)])
        #expect(try #require(merged(known, cache(.end, after(9)))).lost.isEmpty)
        #expect(try #require(merged(known, cache(.end, .end))).lost.isEmpty)
    }

    @Test func `a blocked shard stays so, unless it goes back to what comes before that`() throws {
        var known = file(after(5))
        known.shards[parent]?.blocked = "a reason"
        let same = try #require(merged(known, cache(after(5))))
        #expect(same.shards[parent]?.blocked == "a reason")
        let behind = try #require(merged(known, cache(after(3))))
        #expect(behind.shards[parent]?.blocked == nil && behind.lost == [parent: after(5)])
        #expect(try #require(merged(known, cache(.end))).shards[parent]?.blocked == nil)
    }

    @Test func `a cache that was written to without positions is not believed`() {
        for cached in [cache(.end, after(3)), cache(.end, after(9)), cache()] {
            var known = file(.end, after(5), cached: .never)
            known.cached = .old
            #expect(outcome(known, cached) == .resume(known, unwritten: true))
        }
    }

    @Test func `positions from before another beginning are not believed, unless that is there`() {
        var known = file(.start(number(1)), cached: .never)
        known.beginning.time += 60
        #expect(outcome(known, cache(after(4))) == .resume(known, unwritten: true))
        known.cached = .current
        // That it was begun anew is lost there.
        #expect(outcome(known, cache(after(4))) == .refill(lost: [:]))
        known.beginning.time -= 120
        #expect(merged(known, cache(after(4)))?.beginning == beginning)
        // What another beginning left out of a shard is wanted by this one.
        known.shards[child] = Checkpoint.Shard(position: .since(now), parent: parent)
        #expect(merged(known, cache(after(4)))?.shards[child] == nil)
    }

    // MARK: Positions as text

    @Test func `what is applied is held as digits or as the end, and nothing else is read`() {
        let digits = "111111111111111111111"
        #expect(SequenceNumber(digits).map(Position.after)?.cached == digits)
        #expect(Position(cached: digits) == SequenceNumber(digits).map(Position.after))
        #expect(Position.end.cached == "SHARD_END")
        #expect(Position(cached: "SHARD_END") == .end)
        for position in [Position.trimHorizon, .start(number(1)), .since(now)] {
            #expect(position.cached == nil)
        }
        for text in [
            "", "TRIM_HORIZON", "12a", "-1", "shard_end", String(repeating: "1", count: 41),
        ] {
            #expect(Position(cached: text) == nil, "\(text)")
        }
    }

    @Test func `positions have an order, in which nothing is ahead of the end`() {
        let ordered: [Position] = [.trimHorizon, after(1), after(2), .end]
        for (place, position) in ordered.enumerated() {
            for (other, behind) in ordered.enumerated() {
                #expect(position.isAhead(of: behind) == (other < place))
            }
        }
        #expect(!Position.start(number(5)).isAhead(of: .trimHorizon))
        #expect(after(2).covers(number(2)) && !after(2).covers(number(3)))
        #expect(Position.end.covers(number(9)) && !Position.start(number(1)).covers(number(1)))
    }
}
