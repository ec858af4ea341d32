import Walk

/// What happens in one simulation.
///
/// Every choice that is left open comes from its seed.
struct Scenario: Sendable {
    /// What the world does at a time.
    enum Event: Sendable {
        case enable(shards: Int)
        case write(slot: Int)
        /// A shard closes and has children; the newest one does for a negative choice.
        case rollOver(choice: Int, splitting: Bool)
        case disable
        case endDisabling
        /// The daemon begins.
        case start
        /// The daemon begins, to apply what is there and end.
        case replay
        /// The daemon is killed, some jobs later.
        case kill(jobs: Int)
        /// The daemon is asked to stop.
        case stop
    }

    /// A time in which calls fail.
    struct Storm: Sendable {
        let from: Duration
        let to: Duration
        let probability: Double
        /// Whether it is the cache that fails, not the stream.
        let isOfCache: Bool
        let kinds: [SourceError.Kind]
        /// Whether a refusal is repeated until it is believed.
        var isBelieved = false

        func covers(_ time: Duration) -> Bool { from <= time && time < to }
    }

    /// How the daemon's walk ends.
    enum Ending: Sendable {
        /// It goes on until everything is applied, and is then asked to stop.
        case never
        /// The stream is switched off, and read to its end.
        case drained
        /// Its goal is what is there at its start.
        case caughtUp
        /// That is for the test to say.
        case any
    }

    /// What the choices come from that are made on the way.
    var seed: UInt64 = 1
    var start = StartPosition.trimHorizon
    var ending = Ending.never
    var slots = 4
    /// By how many seconds the daemon's clock is wrong.
    var skew = 0.0
    /// The longest that one half of a call takes, in milliseconds.
    var latencyMaximum = 20.0
    /// How old a page of DescribeStream may be, in seconds.
    var listingLag = 0.0
    /// How long after its creation a child is listed at the latest, in seconds.
    var shynessMaximum = 0.0
    var listingPage = 100
    var recordsPage = 5
    /// How many empty pages may come before records, or before the end.
    var emptyPages = 0
    var refusesFilter = false
    /// Whether an iterator after a record brings that record again, as with other servers than AWS's.
    var repeatsRecord = false
    /// Whether records are as large as what a page is expected to be.
    var hasLargeRecords = false
    /// The keys that the cache refuses begin like this.
    var refusedKeys: String?
    var byteLimit = 64 << 20
    /// What happens, in the order of time.
    var events: [(time: Duration, event: Event)] = []
    var storms: [Storm] = []
    /// When nothing happens any more but what the daemon does.
    var calm = Duration.zero
    /// Whether the daemon is down for so long that records are trimmed.
    var losesRecords = false
}
