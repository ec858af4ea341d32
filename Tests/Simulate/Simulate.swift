import ArgumentParser
import Dispatch
import Glibc
import Simulation
import Synchronization

/// The walk as it is shipped, through as many made-up histories as one likes.
@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the walk through simulated histories and says which break a promise.",
        discussion: """
            A history follows from its seed: a stream that splits, lags and throttles, a cache and a disk that fail, \
            kills, losses of power, days of downtime. The same seed gives the same history. Exit code 1 if any failed.
            """)

    /// How many of those that fail are told one by one.
    private static let shown = 20

    @Option(help: "How many histories.")
    var seeds: UInt64 = 2_000

    @Option(help: "The first seed.")
    var from: UInt64 = 0

    @Option(help: "How many run at a time.")
    var jobs = 2

    @Option(help: "Run this seed alone, and show its course.")
    var seed: UInt64?

    @Flag(help: "Stop at the first one that fails.")
    var first = false

    func validate() throws {
        guard jobs > 0 else { throw ValidationError("--jobs has to be 1 at least.") }
        guard !from.addingReportingOverflow(seeds).overflow else {
            throw ValidationError("There are not so many seeds: lower --from or --seeds.")
        }
    }

    func run() throws {
        if let seed { return try show(seed) }
        let next = Atomic(from)
        let failed = Mutex<[UInt64]>([])
        let jobsRun = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: jobs) { _ in
            while true {
                let seed = next.add(1, ordering: .relaxed).oldValue
                guard seed - from < seeds, !(first && failed.withLock { !$0.isEmpty }) else {
                    return
                }
                guard let report = try? Simulator.run(Scenario(seed: seed)) else {
                    preconditionFailure("a scenario of a seed can be run")
                }
                jobsRun.add(report.jobs, ordering: .relaxed)
                guard !report.violations.isEmpty else { continue }
                let count = failed.withLock { failed in
                    failed.append(seed)
                    return failed.count
                }
                guard count <= Self.shown else { continue }
                print(
                    "seed \(seed): \(report.violations[0].prefix(200))\n    repeat with: simulate --seed \(seed)"
                )
                fflush(nil)
            }
        }
        let failures = failed.withLock { $0 }
        print(
            "\(min(next.load(ordering: .relaxed) - from, seeds)) seeds, \(jobsRun.load(ordering: .relaxed)) jobs, \(failures.count) failed"
        )
        if !failures.isEmpty { throw ExitCode.failure }
    }

    private func show(_ seed: UInt64) throws {
        let report = try Simulator.run(Scenario(seed: seed), isTracing: true)
        for line in report.trace { print(line) }
        let digest = String(report.digest, radix: 16)
        print(
            "seed \(seed): \(report.jobs) jobs, digest \(digest), \(report.violations.count) violations"
        )
        for violation in report.violations { print("    \(violation)") }
        if !report.violations.isEmpty { throw ExitCode.failure }
    }
}
