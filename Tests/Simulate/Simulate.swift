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

    @Option(help: "Walk so many shards in good weather, and print figures.")
    var shards: Int?

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
        if let shards { return try measure(shards) }
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
                    "seed \(seed): \(report.violations[0].prefix(200))\n    repeat with: \(CommandLine.arguments[0]) --seed \(seed)"
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

    /// Walks a crowd, and prints what has been done in each of its parts, in a line of JSON.
    private func measure(_ shards: Int) throws {
        let crowd = Scenario.Crowd(shards: shards)
        var cpu: [Double] = []
        let report = try Simulator.run(crowd.scenario) { cpu.append(Self.cpuSeconds) }
        for violation in report.violations { print("    \(violation)") }
        guard report.violations.isEmpty else { throw ExitCode.failure }
        let parts = ["start", "settle", "idle", "change", "hot", "rollover"]
        var figures: [(name: String, value: Double)] = [
            ("shards", Double(shards)), ("listing_s", crowd.listing.inSeconds),
        ]
        for (place, part) in parts.enumerated() {
            let (before, after) = (report.looks[place], report.looks[place + 1])
            let made = before.uptime...after.uptime
            let lags = report.applied.filter {
                made.contains($0.madeAt) && !$0.key.hasPrefix("k0-")
            }
            .map { ($0.appliedAt - $0.madeAt).inSeconds }.sorted()
            figures += [
                ("\(part)_s", (after.uptime - before.uptime).inSeconds),
                ("\(part)_describes", Double(after.calls.describes - before.calls.describes)),
                ("\(part)_iterators", Double(after.calls.iterators - before.calls.iterators)),
                ("\(part)_pages", Double(after.calls.pages - before.calls.pages)),
                ("\(part)_jobs", Double(after.jobs - before.jobs)),
                ("\(part)_cpu_s", cpu[place + 1] - cpu[place]),
                ("\(part)_lag_p50_s", lags.isEmpty ? 0 : lags[lags.count / 2]),
                ("\(part)_lag_max_s", lags.last ?? 0),
            ]
        }
        figures.append(("peak_mb", Self.peakMegabytes))
        let members = figures.map { "\"\($0.name)\":\(($0.value * 1_000).rounded() / 1_000)" }
        print("{\(members.joined(separator: ","))}")
    }

    /// The processor time that this process has taken.
    private static var cpuSeconds: Double {
        var time = timespec()
        precondition(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0, "no clock")
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The most memory that this process has had.
    private static var peakMegabytes: Double {
        var usage = rusage()
        precondition(
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0,
            "no figures of this process")
        return Double(usage.ru_maxrss) / 1_024
    }
}
