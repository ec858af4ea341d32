import Testing
import Walk

@testable import Walk

/// How old shards are by their names, whatever clock these come from.
@Suite struct NameClockTests {
    private func clock(_ hoursAgo: Double..., at time: Double = now) -> NameClock {
        var clock = NameClock()
        clock.see(hoursAgo.map { shard(shardID($0)) }, at: time)
        return clock
    }

    @Test func `names of the present time say how old shards are by our clock`() {
        let clock = clock(3, 30)
        #expect(clock.agrees)
        #expect(clock.age(of: shardID(2), at: now) == 2 * hour)
        #expect(clock.time(at: now) == now)
    }

    @Test(arguments: [-20_000.0, -40, 1, 20_000])
    func `by names of another clock shards are as old as the newest lets them be`(ahead: Double) {
        let clock = clock(5, at: now - (5 + ahead) * hour)
        #expect(!clock.agrees)
        #expect(clock.age(of: shardID(5), at: now - (5 + ahead) * hour) == 0)
        #expect(clock.age(of: shardID(7), at: now - (4 + ahead) * hour) == 3 * hour)
    }

    @Test func `a clock that is ahead does not look right as time passes`() {
        var clock = clock(0, at: now - 10 * hour)
        clock.see([shard(shardID(0))], at: now)
        #expect(clock.age(of: shardID(0), at: now) == 10 * hour)
        clock.see([shard(shardID(-1))], at: now + hour)
        #expect(clock.agrees)
    }

    @Test func `names that don't say when say nothing`() {
        var clock = NameClock()
        clock.see([shard(ShardID("a"))], at: now)
        #expect(!clock.agrees)
        #expect(clock.age(of: ShardID("a"), at: now) == nil)
        #expect(clock.newest == nil)
    }
}
