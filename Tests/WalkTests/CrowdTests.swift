import Simulation
import Testing
import Walk

/// What a walk of thousands of shards costs, counted in calls and jobs; docs/scale.md has it in seconds.
@Suite struct CrowdTests {
    /// A part of a crowd's course: from one look to the next.
    private struct Part {
        let seconds: Double
        let calls: CallCounts
        let jobs: Int
        /// How long each change took to be applied that was made in it to another shard than the hot one, in order.
        let lags: [Duration]

        init(_ place: Int, of report: Simulator.Report) {
            let (from, to) = (report.looks[place], report.looks[place + 1])
            seconds = (to.uptime - from.uptime).inSeconds
            calls = CallCounts(
                describes: to.calls.describes - from.calls.describes,
                iterators: to.calls.iterators - from.calls.iterators,
                pages: to.calls.pages - from.calls.pages)
            jobs = to.jobs - from.jobs
            lags = report.applied.filter {
                from.uptime <= $0.madeAt && $0.madeAt < to.uptime && !$0.key.hasPrefix("k0-")
            }
            .map { $0.appliedAt - $0.madeAt }.sorted()
        }
    }

    @Test
    func `two thousand shards cost no more calls than they have to, and none waits for a hot one`()
        async throws
    {
        var crowd = Scenario.Crowd(shards: 2_000)
        crowd.stretch = .seconds(30)
        crowd.idle = IdlePause(
            minimum: .milliseconds(250), maximum: .seconds(1), pollsPerSecond: 200)
        let report = try await simulated(crowd.scenario)
        for violation in report.violations { Issue.record("\(violation)") }
        let parts = report.looks.indices.dropLast().map { Part($0, of: report) }
        let (start, idle, changed, hot, rolledOver) = (
            parts[0], parts[2], parts[3], parts[4], parts[5]
        )
        // One listing of 20 pages, and another one for whatever the first was too early for.
        #expect(start.calls.describes == 2 * 20)
        #expect(start.calls.iterators == 2_000)
        // What is idle keeps to its budget, and listings leave three quarters of theirs.
        #expect(idle.calls.iterators == 0)
        #expect(Double(idle.calls.pages) < 1.1 * 200 * idle.seconds)
        #expect(Double(idle.calls.describes) < 5 * idle.seconds / 4 + 20)
        #expect(idle.jobs < 5 * idle.calls.pages)
        // A change costs a few polls: the page that brings it, and those of a shard that may have more.
        #expect(changed.lags.count == 1_999)
        #expect(Double(changed.calls.pages) < 1.1 * 200 * changed.seconds + 10 * 2_000)
        #expect(try #require(changed.lags.last) < crowd.pauseMaximum + .seconds(1))
        #expect(hot.lags.count == 1_999)
        #expect(try #require(hot.lags.last) < crowd.pauseMaximum + .seconds(1))
        // Children are listed, not searched for one by one.
        #expect(rolledOver.calls.iterators == 2_000)
        #expect(rolledOver.calls.describes < 200)
        #expect(try #require(rolledOver.lags.last) < crowd.listing * 8 + crowd.pauseMaximum * 2)
    }
}
