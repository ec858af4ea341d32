import Foundation
import Simulation
import Testing

/// The walk as it is shipped, through whatever can happen to it.
///
/// `simulate` runs many more histories, and one alone with its course (docs/testing.md).
@Suite struct SimulationTests {
    /// Runs of seeds, so that all cores have some.
    private static let runs: [Range<UInt64>] =
        stride(from: 0, to: 100, by: 25).map { $0..<$0 + 25 }

    @Test(arguments: runs)
    func `nothing is lost, reordered or forgotten, whatever happens`(seeds: Range<UInt64>)
        async throws
    {
        for seed in seeds {
            let report = try await simulated(Scenario(seed: seed))
            for violation in report.violations {
                Issue.record("\(violation)\nrepeat with: swift run simulate --seed \(seed)")
            }
        }
    }

    @Test(arguments: [1, 20, 300] as [UInt64])
    func `a seed repeats itself`(seed: UInt64) async throws {
        #expect(
            try await simulated(Scenario(seed: seed), isTracing: true)
                == simulated(Scenario(seed: seed), isTracing: true))
    }
}
