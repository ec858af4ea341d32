import Records
import Synchronization
import Walk

/// Everything outside the daemon, which outlives each of its processes: the stream, the cache, the disk; and the notes of
/// what happened.
final class World: Sendable {
    /// What the world holds.
    struct State: Sendable {
        var model: StreamModel
        var cache = CacheModel()
        /// What is known of it.
        var notes = CacheNotes()
        /// Whether processes that begin now keep positions in the cache.
        var holdsPositions: Bool
        /// What a process does that begins now when the cache was emptied.
        var onCacheLoss: CacheLossPolicy
        var disk = DiskModel()
        /// What is known of the checkpoint on that disk.
        var saved = SavedCheckpoint()
        var generator: SeededGenerator
        /// When LATEST was first opened on a shard by an answer that arrived, in seconds since 1970.
        var latestAt: [ShardID: Double] = [:]
        /// The shards that were asked for at LATEST since the stream began.
        var latestAsked: Set<ShardID> = []
        var violations: [String] = []
        /// How often the stream's service was called.
        var calls = CallCounts()
        fileprivate(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        fileprivate(set) var trace: [String] = []

        /// Whether the positions that the walk has read are those of the present connection; true where there are none.
        var isCurrent: Bool {
            !holdsPositions
                || cache.connection != nil && cache.era == notes.era
                    && notes.losses == notes.lossesSeen
        }

        /// Breaks the connection to the cache, if there is one.
        mutating func breakConnection() {
            guard cache.connection != nil else { return }
            cache.connection = nil
            notes.causes += 1
        }
    }

    let scenario: Scenario
    let clock: SimulatedClock
    private let isTracing: Bool
    private let state: Mutex<State>

    /// The world of a scenario; `isTracing` keeps every note, not only their digest.
    init(_ scenario: Scenario, isTracing: Bool) {
        self.scenario = scenario
        self.isTracing = isTracing
        clock = SimulatedClock(skew: scenario.skew, isServiceTime: scenario.isServiceTime)
        state = Mutex(
            State(
                model: StreamModel(scenario), holdsPositions: scenario.holdsPositions,
                onCacheLoss: scenario.onCacheLoss,
                generator: SeededGenerator(seed: scenario.seed &+ 1)))
    }

    /// Looks at the state, or changes it.
    func access<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        state.withLock { body(&$0) }
    }

    /// Notes what happens; two runs of a seed have the same notes.
    func note(_ text: @autoclosure () -> String) {
        let line = "\(clock.uptime.inSeconds) \(text())"
        state.withLock { state in
            for byte in line.utf8 {
                state.digest = (state.digest ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
            }
            if isTracing { state.trace.append(line) }
        }
    }

    /// Notes what must not happen.
    func violate(_ text: String) {
        note("VIOLATION \(text)")
        state.withLock { $0.violations.append(text) }
    }

    /// Executes a transaction of a walk that begins so, and returns the position that stood in the place of its step's.
    func execute(_ write: CacheModel.Write, _ beginning: Checkpoint.Beginning?) -> String? {
        for (key, value) in write.values { note("cache: \(key) = \(value ?? "nothing")") }
        if let step = write.step { note("cache: \(step.shard) at \(step.to)") }
        let (before, problems) = access { [scenario, clock] world -> (String?, [String]) in
            var problems: [String] = []
            let versions = write.values.map { world.model.version(of: $0.key, value: $0.value) }
            for ((key, _), version) in zip(write.values, versions) {
                guard let version else {
                    problems.append("\(key) is written with what no record holds")
                    continue
                }
                let check = Invariants(world, beginning, clock, scenario)
                if let problem = check.problem(inWriting: key, version) { problems.append(problem) }
                world.notes.order[key] = version
            }
            if world.notes.hasToEnd { problems.append("the walk goes on, and was to end") }
            let before = world.cache.execute(write, versions: versions, at: clock.serviceTime)
            if let step = write.step {
                let check = Invariants(world, beginning, clock, scenario)
                if let problem = check.problem(inHolding: step.shard) { problems.append(problem) }
            }
            return (before, problems)
        }
        for problem in problems { violate(problem) }
        return before
    }

    /// Executes the transactions that strayed until now.
    func executeStrays() {
        let now = clock.uptime
        guard access({ $0.cache.strays.contains { $0.due <= now } }) else { return }
        let (due, beginning) = access { world in
            let due = world.cache.strays.filter { $0.due <= now }.sorted { $0.due < $1.due }
            world.cache.strays.removeAll { $0.due <= now }
            return (due, world.cache.content.beginning)
        }
        for stray in due {
            note("a transaction is executed that strayed")
            _ = execute(stray.write, beginning)
        }
    }

    /// A random number from a range.
    func random(_ range: ClosedRange<Double>) -> Double {
        state.withLock { Double.random(in: range, using: &$0.generator) }
    }

    /// True with a probability.
    func happens(_ probability: Double) -> Bool {
        probability > 0 && random(0...1) < probability
    }

    /// How long a message takes.
    func latency() -> Duration {
        .milliseconds(Int(random(1...scenario.latencyMaximum)))
    }
}

/// How often the stream's service was called, with success or without.
package struct CallCounts: Equatable, Sendable {
    /// DescribeStream.
    package var describes = 0
    /// GetShardIterator.
    package var iterators = 0
    /// GetRecords.
    package var pages = 0

    /// So many calls.
    package init(describes: Int = 0, iterators: Int = 0, pages: Int = 0) {
        self.describes = describes
        self.iterators = iterators
        self.pages = pages
    }
}

/// What is known of the checkpoint on disk.
struct SavedCheckpoint: Sendable {
    /// The checkpoint that a process finds which starts now.
    var content: Checkpoint?
    /// Its bytes.
    var bytes: [UInt8]?
    /// Whether the present process has a stream from there, or has tried to save where it begins.
    var hasBeginning = false
    /// What was there before, oldest first.
    var former: [[UInt8]] = []
    /// What may be found after a loss of power: what the last save promised, and what was put in its place since.
    var possible: [[UInt8]?] = [nil]
}
