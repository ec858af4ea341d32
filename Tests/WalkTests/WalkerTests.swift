import Records
import Simulation
import Testing
import Walk

/// What a walk does in situations that seeds seldom meet, told step by step.
@Suite(.serialized) struct WalkerTests {
    /// A scenario whose events happen at the times beside them, in seconds.
    private func scenario(
        _ events: [(Double, Scenario.Event)], calm: Double
    ) -> Scenario {
        var scenario = Scenario()
        scenario.events = events.enumerated()
            .sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
            .map { (.seconds($0.element.0), $0.element.1) }
        scenario.calm = .seconds(calm)
        return scenario
    }

    /// Runs a scenario and records what was wrong.
    @discardableResult
    private func check(_ scenario: Scenario) async throws -> Simulator.Report {
        let report = try await simulated(scenario)
        for violation in report.violations { Issue.record("\(violation)") }
        return report
    }

    private func storm(
        _ from: Double, _ to: Double, _ kind: SourceError.Kind, ofCache: Bool = false,
        probability: Double = 1, sparesListings: Bool = false
    ) -> Scenario.Storm {
        Scenario.Storm(
            from: .seconds(from), to: .seconds(to), probability: probability, isOfCache: ofCache,
            kinds: [kind], isBelieved: true, sparesListings: sparesListings)
    }

    /// Writes to all slots every so many seconds.
    private func writes(
        from: Double, to: Double, every seconds: Double, slots: Int = 4
    ) -> [(Double, Scenario.Event)] {
        stride(from: from, to: to, by: seconds).enumerated().map { place, time in
            (time, .write(slot: place % slots))
        }
    }

    @Test func `a stream that is not there ends the walk and spoils no position`() async throws {
        var gone = scenario(
            [(0, .enable(shards: 2))] + writes(from: 1, to: 20, every: 1) + [
                (20, .start), (40, .stop), (90, .start),
            ], calm: 100)
        gone.storms = [storm(85, 10_000, .notFound)]
        gone.ending = .any
        let report = try await check(gone)
        guard case .failed(.streamGone) = report.ending else {
            Issue.record("the walk ended with \(report.ending as Any)")
            return
        }
        let shards = try #require(report.checkpoint?.streams[Simulator.stream]?.shards)
        #expect(shards.count == 2)
        #expect(shards.values.allSatisfy { $0.position.isAfterRecord })
    }

    @Test func `a name that the service does not take ends the walk`() async throws {
        var refused = scenario([(0, .enable(shards: 1)), (1, .start)], calm: 10)
        refused.storms = [storm(0, 10_000, .invalid)]
        refused.ending = .any
        guard case .failed(.refused) = try await simulated(refused).ending else {
            Issue.record("the walk goes on")
            return
        }
    }

    @Test func `a page that the cache refuses stops its shard and its children, not the others`()
        async throws
    {
        var refused = scenario(
            [(0, .enable(shards: 4))] + writes(from: 1, to: 9, every: 1)
                + [(9, .rollOver(choice: 0, splitting: false))]
                + writes(from: 10, to: 20, every: 1) + [(20, .replay)], calm: 30)
        refused.refusedKeys = "k0"
        refused.ending = .any
        let report = try await check(refused)
        #expect(report.ending == .walked(.caughtUp(blocked: 1)))
        let shards = try #require(report.checkpoint?.streams[Simulator.stream]?.shards)
        #expect(shards.values.filter { $0.blocked != nil }.count == 1)
        #expect(shards.values.filter { $0.position.isAfterRecord }.count == 3)
    }

    @Test func `five hours without permission lose nothing`() async throws {
        var denied = scenario(
            [(0, .enable(shards: 2)), (1, .start)] + writes(from: 2, to: 20, every: 1)
                + writes(from: 100, to: 18_000, every: 300)
                + [(9_000, .rollOver(choice: 0, splitting: true))], calm: 18_010)
        denied.storms = [storm(10, 18_005, .denied)]
        denied.byteLimit = 1
        let report = try await check(denied)
        #expect(report.jobs < 100_000)
    }

    @Test func `an outage of the cache outlives all iterators and loses nothing`() async throws {
        var outage = scenario(
            [(0, .enable(shards: 3)), (1, .start)] + writes(from: 2, to: 3_000, every: 20)
                + [(1_500, .rollOver(choice: 0, splitting: true))], calm: 4_000)
        outage.storms = [storm(30, 4_000, .unavailable, ofCache: true)]
        try await check(outage)
    }

    @Test func `the daemon stops while the cache is away`() async throws {
        var outage = scenario(
            [(0, .enable(shards: 3)), (1, .start)] + writes(from: 2, to: 100, every: 1)
                + [(50, .stop), (95, .start)], calm: 110)
        outage.storms = [storm(30, 100, .unavailable, ofCache: true)]
        try await check(outage)
    }

    @Test(arguments: [-7_200.0, 7_200])
    func `a clock that is hours off loses nothing of what comes after LATEST`(skew: Double)
        async throws
    {
        var latest = scenario(
            [(0, .enable(shards: 3)), (10, .start)] + writes(from: 0, to: 100, every: 1)
                + [(50, .rollOver(choice: 0, splitting: true))], calm: 110)
        latest.start = .latest
        latest.skew = skew
        try await check(latest)
    }

    /// LATEST, and a kill before the first record, as a service sees it whose clock is off by so many seconds.
    private func interruptedLatest(clockOffBy seconds: Double) -> Scenario {
        var latest = scenario(
            [(0, .enable(shards: 2)), (10, .start), (13, .kill(jobs: 0)), (60, .start)]
                + writes(from: 14, to: 90, every: 1), calm: 100)
        latest.start = .latest
        latest.recordOffset = seconds
        return latest
    }

    @Test(arguments: [-90_000_000.0, -600, 600, 90_000_000])
    func `a kill before the first record loses nothing, whatever the service's clock shows`(
        offset: Double
    ) async throws {
        for hasTimelessNames in [false, true] {
            var latest = interruptedLatest(clockOffBy: offset)
            latest.nameOffset = offset
            latest.hasTimelessNames = hasTimelessNames
            latest.isServiceTime = false
            try await check(latest)
        }
    }

    @Test func `by names of another clock even the service's time says nothing of records`()
        async throws
    {
        var latest = interruptedLatest(clockOffBy: -90_000_000)
        latest.nameOffset = -90_000_000
        try await check(latest)
    }

    @Test(arguments: [-36_000.0, -80_000])
    func `names that are hours behind are no reason to leave anything out`(offset: Double)
        async throws
    {
        var latest = interruptedLatest(clockOffBy: offset)
        latest.nameOffset = offset
        try await check(latest)
    }

    @Test func `what comes after the head is read, even if only the records' clock is off`()
        async throws
    {
        var latest = scenario(
            [(0, .enable(shards: 2)), (10, .start), (13, .kill(jobs: 0)), (15, .start)]
                + writes(from: 120, to: 150, every: 1), calm: 160)
        latest.start = .latest
        latest.recordOffset = -90_000_000
        try await check(latest)
    }

    @Test(arguments: [-90_000_000.0, 90_000_000])
    func `a replay ends where the stream stood, whatever the service's clock shows`(
        offset: Double
    ) async throws {
        var replay = scenario(
            [(0, .enable(shards: 2)), (30, .rollOver(choice: 0, splitting: false)), (60, .replay)]
                + writes(from: 1, to: 59, every: 1), calm: 60)
        replay.recordOffset = offset
        replay.nameOffset = offset
        replay.ending = .caughtUp
        try await check(replay)
    }

    @Test func `shards that are listed and gone are passed, with a gap, however young they are`()
        async throws
    {
        let turns = stride(from: 30.0, to: 3_000, by: 60).map { time in
            (time, Scenario.Event.rollOver(choice: 0, splitting: false))
        }
        var forgetful = scenario(
            [(0, .enable(shards: 1)), (20, .start), (40, .stop), (3_000, .start)] + turns
                + writes(from: 1, to: 3_020, every: 7), calm: 3_030)
        forgetful.retention = 60
        forgetful.losesRecords = true
        let stream = try await check(forgetful).checkpoint?.streams[Simulator.stream]
        #expect(stream?.gaps.isEmpty == false)
    }

    @Test func `a replay waits for the second child of a split that is listed late`() async throws {
        for seed in 1...10 {
            var replay = scenario(
                [
                    (0, .enable(shards: 1)), (57, .rollOver(choice: 0, splitting: true)),
                    (60, .replay),
                ]
                    + writes(from: 1, to: 58.5, every: 0.25), calm: 61)
            replay.seed = UInt64(seed)
            replay.ending = .caughtUp
            replay.shynessMaximum = 4
            try await check(replay)
        }
    }

    @Test func `what is passed before its time is told of each shard`() async throws {
        for seed in 1...6 {
            var doubted = scenario(
                [
                    (0, .enable(shards: 2)), (3_600, .rollOver(choice: 0, splitting: false)),
                    (3_600, .rollOver(choice: 0, splitting: false)), (84_600, .start),
                ] + writes(from: 1_000, to: 3_500, every: 100)
                    + writes(from: 80_000, to: 80_100, every: 10), calm: 84_800)
            doubted.seed = UInt64(seed)
            doubted.ending = .any
            doubted.losesRecords = true
            doubted.storms = [storm(84_600, 84_700, .notFound, sparesListings: true)]
            let stream = try await simulated(doubted).checkpoint?.streams[Simulator.stream]
            let gaps = Set((stream?.gaps ?? []).compactMap(\.shard))
            // Nothing is trimmed yet: whatever ended without being read is told.
            for (id, shard) in stream?.shards ?? [:] where shard.position == .end {
                #expect(shard.recordTime != nil || gaps.contains(id.description), "\(id)")
            }
        }
    }

    @Test func `a listing that is behind does not say that a young shard is gone`() async throws {
        for seed in 1...10 {
            var behind = scenario(
                [
                    (0, .enable(shards: 1)), (1, .start),
                    (10, .rollOver(choice: 0, splitting: false)),
                ] + writes(from: 2, to: 40, every: 0.5), calm: 41)
            behind.seed = UInt64(seed)
            behind.listingLag = 4
            behind.storms = [storm(9.5, 14, .notFound, probability: 0.7, sparesListings: true)]
            try await check(behind)
        }
    }

    @Test func `the last shard of a stream that is switched off is looked for as long as it takes`()
        async throws
    {
        for seed in 1...6 {
            var off = scenario(
                [
                    (0, .enable(shards: 1)), (1, .start), (50, .disable), (50.5, .endDisabling),
                ] + writes(from: 2, to: 49, every: 1), calm: 140)
            off.seed = UInt64(seed)
            off.ending = .drained
            off.storms = [storm(45, 130, .notFound, sparesListings: true)]
            try await check(off)
        }
    }

    @Test func `a stream that was switched off a day ago is begun without a gap`() async throws {
        var off = scenario(
            [
                (0, .enable(shards: 1)), (14_400, .disable), (14_401, .endDisabling),
                (97_200, .start),
            ] + writes(from: 1, to: 14_000, every: 600), calm: 97_210)
        off.ending = .drained
        try await check(off)
    }

    @Test func `an iterator that expires before the first record brings no history back`()
        async throws
    {
        for seed in 1...6 {
            var latest = scenario(
                [(0, .enable(shards: 1)), (1_000, .start), (2_300, .write(slot: 0))]
                    + writes(from: 1, to: 100, every: 1), calm: 2_301)
            latest.seed = UInt64(seed)
            latest.start = .latest
            latest.emptyPages = 5
            latest.storms = [storm(1_100, 2_100, .unavailable)]
            let report = try await check(latest)
            #expect(report.applied.allSatisfy { $0.madeAt > .seconds(690) })
        }
    }

    @Test func `a clock that is set back makes nobody wait for it`() async throws {
        var back = scenario(
            [
                (0, .enable(shards: 1)), (10, .rollOver(choice: 0, splitting: false)),
                (110_000, .start), (110_004, .setClock(skew: -7_200)),
            ] + writes(from: 1, to: 20, every: 1) + writes(from: 109_000, to: 109_020, every: 1),
            calm: 110_010)
        back.hasTimelessNames = true
        back.isServiceTime = false
        back.losesRecords = true
        try await check(back)
    }

    @Test func `history that is left out is not asked for without a pause`() async throws {
        var latest = scenario(
            [(0, .enable(shards: 1)), (1_000, .start)] + writes(from: 1, to: 5, every: 1)
                + [(1_060, .write(slot: 0))], calm: 1_061)
        latest.start = .latest
        latest.repeatsForever = true
        latest.storms = [storm(1_000, 1_001, .unavailable, sparesListings: true)]
        try await check(latest)
    }

    @Test func `a stream that is being switched on is waited for`() async throws {
        let late = scenario(
            [(0, .start), (3_600, .enable(shards: 2))] + writes(from: 3_601, to: 3_650, every: 1),
            calm: 3_660)
        try await check(late)
    }

    @Test func `a stream without a shard is waited for`() async throws {
        let late = scenario(
            [(0, .enable(shards: 0)), (1, .start), (600, .enable(shards: 2))]
                + writes(from: 601, to: 650, every: 1), calm: 660)
        try await check(late)
    }

    @Test func `a replay of many idle shards ends`() async throws {
        var idle = scenario(
            [(0, .enable(shards: 400))] + writes(from: 1, to: 40, every: 0.1, slots: 400)
                + [(41, .replay)], calm: 42)
        idle.slots = 400
        idle.ending = .caughtUp
        idle.byteLimit = 8 << 20
        try await check(idle)
    }

    @Test
    func `a stream that is switched off is read to its end, with a child that is listed late`()
        async throws
    {
        var off = scenario(
            [(0, .enable(shards: 1)), (1, .start)] + writes(from: 2, to: 30, every: 1) + [
                (28, .rollOver(choice: 0, splitting: true)), (30, .disable), (30.5, .endDisabling),
            ], calm: 31)
        off.ending = .drained
        off.shynessMaximum = 8
        let report = try await check(off)
        #expect(report.checkpoint?.streams[Simulator.stream]?.isDrained == true)
    }

    @Test func `a server that repeats a record for ever is not asked without a pause`() async throws
    {
        var stuck = scenario(
            [(0, .enable(shards: 1)), (1, .start)] + writes(from: 2, to: 20, every: 1)
                + [(600, .write(slot: 0))], calm: 601)
        stuck.repeatsForever = true
        let report = try await check(stuck)
        #expect(report.jobs < 10_000)
    }

    @Test func `a failover that loses what was acknowledged is seen for what it is`() async throws {
        var lossy = scenario(
            [(0, .enable(shards: 2)), (1, .start)] + writes(from: 2, to: 20, every: 1)
                + [(30, .failOver(losing: 20))], calm: 31)
        lossy.slots = 8
        lossy.holdsPositions = false
        let report = try await simulated(lossy)
        // Without positions in the cache nobody notices; the simulation does.
        #expect(!report.violations.isEmpty)
        #expect(report.violations.allSatisfy { $0.hasPrefix("not caught up: k") })
    }

    @Test func `days without the cache are told as a loss, once, and no more than that is lost`()
        async throws
    {
        var outage = scenario(
            [(0, .enable(shards: 2)), (1, .start)] + writes(from: 2, to: 110_000, every: 500),
            calm: 110_000)
        outage.storms = [storm(30, 110_000, .unavailable, ofCache: true)]
        outage.losesRecords = true
        let report = try await check(outage)
        let gaps = try #require(report.checkpoint?.streams[Simulator.stream]?.gaps)
        #expect(gaps.count == 2)
    }
}

extension Position {
    fileprivate var isAfterRecord: Bool { if case .after = self { true } else { false } }
}
