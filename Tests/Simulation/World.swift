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
                model: StreamModel(scenario),
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

/// What the cache holds, and what it has acknowledged.
struct CacheModel: Sendable {
    /// The values by their keys.
    var values: [String: String] = [:]
    /// The newest version of each key that was acknowledged.
    var acknowledged: [String: Int] = [:]
    /// The newest version of each key that the present process has written.
    var written: [String: Int] = [:]
    /// The newest version of each key that the present process was told of by its checkpoint.
    var remembered: [String: Int] = [:]
    /// What the present process was told to be written, with the time in seconds since 1970.
    var applied: [(time: Double, key: String, version: Int)] = []
    /// What each write has replaced, with its time in seconds since 1970.
    var replaced: [(time: Double, key: String, value: String?)] = []

    /// Forgets what was written since a time, as a replica does that has not got it yet.
    mutating func forget(since time: Double) {
        while let last = replaced.last, last.time >= time {
            values[last.key] = last.value
            replaced.removeLast()
        }
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
    /// What may be found after a loss of power: what the last save promised, and what was put in its place since.
    var possible: [[UInt8]?] = [nil]
}
