import Simulation
import Testing
import Walk

/// What a walk does when the cache loses what it had, told step by step.
@Suite(.serialized) struct PositionsTests {
    /// A scenario of two shards that are written to every second until 50, with events at times in seconds.
    private func scenario(
        _ events: [(Double, Scenario.Event)], calm: Double
    ) -> Scenario {
        var scenario = Scenario()
        let writes = stride(from: 1.5, to: 50, by: 1).enumerated().map { place, time in
            (time, Scenario.Event.write(slot: place % 4))
        }
        scenario.events = ([(0, .enable(shards: 2)), (1, .start)] + events + writes).enumerated()
            .sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
            .map { (.seconds($0.element.0), $0.element.1) }
        scenario.calm = .seconds(calm)
        scenario.hasBadDisk = false
        return scenario
    }

    /// Runs a scenario, records what was wrong and returns what is remembered of the stream.
    @discardableResult
    private func check(_ scenario: Scenario) async throws -> Checkpoint.Stream {
        let report = try await simulated(scenario)
        for violation in report.violations { Issue.record("\(violation)") }
        let stream = try #require(report.checkpoint?.streams[Simulator.stream])
        #expect((stream.cached == .current) == scenario.holdsPositions)
        #expect(stream.lost.isEmpty)
        #expect(stream.gaps.isEmpty)
        return stream
    }

    /// The positions that were read and those that were written, in the words of the course.
    private func takeUps(_ scenario: Scenario) async throws -> [String] {
        let report = try await simulated(scenario, isTracing: true)
        for violation in report.violations { Issue.record("\(violation)") }
        return report.trace.filter { $0.contains(" positions are ") }
            .map { $0.drop { $0 != " " }.dropFirst().prefix { $0 != ":" } }.map(String.init)
    }

    @Test(arguments: [0.2, 5, 20, 1_000])
    func `what a failover loses is written again, without a restart`(seconds: Double) async throws {
        try await check(scenario([(30, .failOver(losing: seconds))], calm: 51))
        // Of a stream that is idle as well.
        try await check(scenario([(70, .failOver(losing: seconds + 40))], calm: 71))
    }

    @Test func `failovers in a run, at a rollover and right after a start lose nothing`()
        async throws
    {
        for seed in 1...10 {
            var lossy = scenario(
                [
                    (1.2, .failOver(losing: 1)), (20, .rollOver(choice: 0, splitting: true)),
                    (20.4, .failOver(losing: 3)), (20.9, .failOver(losing: 6)),
                    (30, .kill(jobs: 20)), (30.5, .start), (30.6, .failOver(losing: 12)),
                ], calm: 51)
            lossy.seed = UInt64(seed)
            try await check(lossy)
        }
    }

    @Test func `a replay does not end before it has noticed that something is lost`() async throws {
        for moment in stride(from: 51.0, to: 56, by: 0.5) {
            var replay = scenario([(49, .kill(jobs: 0))], calm: 60)
            replay.events = replay.events.filter {
                if case .start = $0.event { false } else { true }
            }
            replay.events.append((.seconds(51), .replay))
            replay.events.append((.seconds(moment), .failOver(losing: 3)))
            replay.ending = .caughtUp
            try await check(replay)
        }
    }

    @Test func `without its checkpoint, a process goes on after what the cache has`() async throws {
        for start in [StartPosition.trimHorizon, .latest] {
            var missing = scenario(
                [(30, .kill(jobs: 0)), (30.5, .loseCheckpoint), (31, .start)], calm: 51)
            missing.start = start
            let takeUps = try await takeUps(missing)
            // They are written once, at the beginning.
            #expect(
                takeUps == ["positions are read", "positions are written", "positions are read"])
        }
    }

    @Test(arguments: [true, false])
    func `an emptied cache is filled again from the trim horizon`(byCommand: Bool) async throws {
        for start in [StartPosition.trimHorizon, .latest] {
            var emptied = scenario([(30, .empty(byCommand: byCommand))], calm: 51)
            emptied.start = start
            let stream = try await check(emptied)
            #expect(stream.beginning.leftOutBefore == nil)
        }
    }

    @Test func `an emptied cache stays so if that is wanted`() async throws {
        var emptied = scenario([(60, .empty(byCommand: false)), (70, .write(slot: 0))], calm: 71)
        emptied.onCacheLoss = .resume
        try await check(emptied)
        let applied = try await simulated(emptied).applied
        #expect(applied.filter { $0.appliedAt > .seconds(60) }.count == 1)
    }

    @Test func `an emptied cache ends the walk if that is wanted`() async throws {
        var emptied = scenario([(30, .empty(byCommand: false))], calm: 51)
        emptied.onCacheLoss = .stop
        emptied.ending = .any
        #expect(try await simulated(emptied).ending == .failed(.cacheLost))
    }

    @Test func `evicted positions are written again, and nothing else is`() async throws {
        let evicted = scenario([(30, .evict)], calm: 51)
        try await check(evicted)
        let applied = try await simulated(evicted).applied
        #expect(Set(applied.map { "\($0.key) \($0.madeAt)" }).count == applied.count)
    }

    @Test(arguments: [nil, 1, 2] as [Int?])
    func `positions that somebody has removed are no end`(count: Int?) async throws {
        try await check(scenario([(30, .removePositions(count))], calm: 51))
    }

    @Test func `somebody else who writes the stream ends the walk`() async throws {
        var foreign = scenario([(30, .intrude)], calm: 51)
        foreign.ending = .any
        guard case .failed(.foreign) = try await simulated(foreign).ending else {
            Issue.record("the walk goes on")
            return
        }
    }

    @Test func `positions can be switched off and on`() async throws {
        for seed in 1...10 {
            var switched = scenario(
                [
                    (20, .kill(jobs: 5)), (20.5, .switchPositions(false)), (21, .start),
                    (21.4, .kill(jobs: 5)), (29, .switchPositions(true)), (30, .start),
                ], calm: 51)
            switched.seed = UInt64(seed)
            try await check(switched)
        }
    }
}
