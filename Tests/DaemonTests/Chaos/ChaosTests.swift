import Foundation
import Testing

// Goal: whatever happens to the processes, the disk, the clock and the ways between them, the cache equals the table in the
// end. Method: ChaosRun. Some seeds with the other tests; deploy/chaos.sh runs as many minutes as one likes.
@Suite(.serialized) struct ChaosTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let minutes = environment["SHARDWALK_CHAOS_MINUTES"].flatMap(Int.init)
    private static let first = environment["SHARDWALK_CHAOS_SEED"].flatMap(UInt64.init) ?? 1
    /// How long the workload of one seed writes, in seconds.
    private static let seconds = minutes == nil ? 12 : 60

    @Test(arguments: first..<first + UInt64(minutes ?? 3))
    func `after any trouble the cache equals the table`(seed: UInt64) async throws {
        let begun = ContinuousClock.now
        let isLong = Self.minutes != nil
        let run = ChaosRun(seed: seed, seconds: Self.seconds) { line in
            guard isLong else { return }
            let elapsed = String(format: "%.1f s", (ContinuousClock.now - begun) / .seconds(1))
            print("seed \(seed), \(elapsed): \(line)")
        }
        do {
            let report = try await run.run()
            #expect(report.items > 50, "the workload is large enough to say something")
            #expect(report.troubles.count > 3)
            for trouble in report.leftOut { print("seed \(seed), left out: \(trouble)") }
            guard isLong else { return }
            let counts = report.troubles.sorted { $0.key < $1.key }
                .map { "\($0.value) x \($0.key)" }.joined(separator: ", ")
            print(
                "seed \(seed): no difference in \(report.items) items; \(counts); \(report.starts) starts"
            )
        } catch {
            print("seed \(seed) failed; repeat with: deploy/chaos.sh --seed \(seed) --minutes 1")
            throw error
        }
    }
}
