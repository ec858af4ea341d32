import Foundation
import Testing
import Walk

/// The walk as it is shipped, through whatever can happen to it.
///
/// `SHARDWALK_SEED=17 swift test --filter SimulationTests` repeats one seed and shows its course;
/// `SHARDWALK_SEEDS=100000` runs more of them.
@Suite struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let chosen = environment["SHARDWALK_SEED"].flatMap(UInt64.init)
    private static let count = environment["SHARDWALK_SEEDS"].flatMap(UInt64.init) ?? 300
    /// Runs of seeds, so that all cores have some.
    private static let runs: [Range<UInt64>] =
        if let chosen {
            [chosen..<chosen + 1]
        } else {
            stride(from: 0, to: count, by: 25).map { $0..<min($0 + 25, count) }
        }

    @Test(arguments: runs)
    func `nothing is lost, reordered or forgotten, whatever happens`(seeds: Range<UInt64>) throws {
        for seed in seeds {
            let report = try Simulator.run(
                Scenario(seed: seed), isTracing: Self.chosen != nil)
            for line in report.trace { print(line) }
            for violation in report.violations {
                Issue.record(
                    "\(violation)\nrepeat with: SHARDWALK_SEED=\(seed) swift test --filter SimulationTests"
                )
            }
        }
    }

    @Test(arguments: [1, 20, 300] as [UInt64])
    func `a seed repeats itself`(seed: UInt64) throws {
        #expect(
            try Simulator.run(Scenario(seed: seed), isTracing: true)
                == Simulator.run(Scenario(seed: seed), isTracing: true))
    }
}
