package import Walk

/// What happens in one simulation.
///
/// Every choice that is left open comes from its seed.
package struct Scenario: Sendable {
    /// What the world does at a time.
    package enum Event: Sendable {
        /// The stream is switched on, with so many shards.
        case enable(shards: Int)
        /// An item changes.
        case write(slot: Int)
        /// A shard closes and has children; the newest one does for a negative choice.
        case rollOver(choice: Int, splitting: Bool)
        /// The stream is being switched off: its shards close.
        case disable
        /// The stream is switched off.
        case endDisabling
        /// The daemon begins.
        case start
        /// The daemon begins, to apply what is there and end.
        case replay
        /// The daemon is killed, some jobs later.
        case kill(jobs: Int)
        /// The machine loses its power, some jobs later.
        case losePower(jobs: Int)
        /// The daemon is asked to stop.
        case stop
        /// The machine's clock is set, so that it is wrong by so many seconds.
        case setClock(skew: Double)
        /// The cache forgets what was written in the last seconds, as after a failover to a replica that lags.
        case failOver(losing: Double)
        /// The connection to the cache breaks.
        case disconnect
        /// The cache loses all that it has, by a restart, or by a command, which breaks no connection.
        case empty(byCommand: Bool)
        /// The cache makes room by removing the positions.
        case evict
        /// Somebody removes all positions, or so many.
        case removePositions(Int?)
        /// Somebody else writes to the positions.
        case intrude
        /// The checkpoint is lost, from the next process on.
        case loseCheckpoint
        /// The checkpoint is the one from so many saves before, from the next process on.
        case restoreCheckpoint(saves: Int)
        /// Positions are kept in the cache, or are not, from the next process on.
        case switchPositions(Bool)
        /// Nothing; the report tells what has been done by then.
        case look
    }

    /// A time in which calls fail.
    package struct Storm: Sendable {
        /// When it begins.
        package var from: Duration
        /// When it is over.
        package var to: Duration
        /// The share of the calls that fail, 0...1.
        package var probability: Double
        /// Whether it is the cache that fails, not the stream.
        package var isOfCache: Bool
        /// The failures, one as likely as the other.
        package var kinds: [SourceError.Kind]
        /// Whether a refusal is repeated until it is believed.
        package var isBelieved = false
        /// Whether shards can be listed all the time.
        package var sparesListings = false

        /// A storm from one time to another.
        package init(
            from: Duration, to: Duration, probability: Double, isOfCache: Bool,
            kinds: [SourceError.Kind], isBelieved: Bool = false, sparesListings: Bool = false
        ) {
            self.from = from
            self.to = to
            self.probability = probability
            self.isOfCache = isOfCache
            self.kinds = kinds
            self.isBelieved = isBelieved
            self.sparesListings = sparesListings
        }

        /// How long it lasts.
        var length: Duration { to - from }

        /// Whether it rages at a time.
        func covers(_ time: Duration) -> Bool { from <= time && time < to }
    }

    /// How the daemon's walk ends.
    package enum Ending: Sendable {
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
    package var seed: UInt64 = 1
    /// Where the stream is read from at first.
    package var start = StartPosition.trimHorizon
    /// How the last walk ends.
    package var ending = Ending.never
    /// How many items there are at a time.
    package var slots = 4
    /// By how many seconds the daemon's clock is wrong at first.
    package var skew = 0.0
    /// Whether the daemon knows that its clock shows the service's time.
    package var isServiceTime = true
    /// How far the times in shards' names are from the service's time, in seconds, as with other servers than AWS's.
    package var nameOffset = 0.0
    /// How far the times of records are from the service's time, in seconds, as with other servers than AWS's.
    package var recordOffset = 0.0
    /// How long the service keeps a record, in seconds; other servers than AWS's may do so for a shorter time.
    package var retention = ShardTree.retention
    /// Whether that is a shorter time than AWS's.
    var isForgetful: Bool { retention < ShardTree.retention }
    /// The longest that one half of a call takes, in milliseconds.
    package var latencyMaximum = 20.0
    /// How old a page of DescribeStream may be, in seconds.
    package var listingLag = 0.0
    /// How long after its creation a child is listed at the latest, in seconds.
    package var shynessMaximum = 0.0
    /// How many shards a page of DescribeStream holds.
    package var listingPage = 100
    /// The share of the pages of DescribeStream that name a cursor which was there before, until it is calm.
    package var repeatedCursors = 0.0
    /// How many records a page holds.
    package var recordsPage = 5
    /// How many empty pages may come before records, or before the end.
    package var emptyPages = 0
    /// Whether the service does not know the filter for children.
    package var refusesFilter = false
    /// Whether the service does not take a shard's own start for a position, as with other servers than AWS's.
    package var refusesStart = false
    /// Whether an iterator after a record brings that record again, as with other servers than AWS's.
    package var repeatsRecord = false
    /// Whether an open shard without news brings its last record again and again, as no server should.
    package var repeatsForever = false
    /// Whether shards' names don't say when they were created, as with other servers than AWS's.
    package var hasTimelessNames = false
    /// Whether records don't say when they were made, as with other servers than AWS's.
    package var hasTimelessRecords = false
    /// Whether records are as large as what a page is expected to be.
    package var hasLargeRecords = false
    /// The keys that the cache refuses begin like this.
    package var refusedKeys: String?
    /// Whether the cache refuses pages in a storm, until a restart.
    package var refusesPages = false
    /// Whether the cache holds positions, at first.
    package var holdsPositions = true
    /// What is done when the cache was emptied.
    package var onCacheLoss = CacheLossPolicy.rewind
    /// How often the positions get a sign of life.
    package var beat = Duration.seconds(2)
    /// Whether the disk fails now and then, and the process dies on it, until it is calm.
    package var hasBadDisk = true
    /// The pauses between polls that bring nothing.
    package var idle = IdlePause(
        minimum: .milliseconds(500), maximum: .seconds(8), pollsPerSecond: 2_000)
    /// How many bytes pages may hold in memory.
    package var byteLimit = 64 << 20
    /// What happens, in the order of time.
    package var events: [(time: Duration, event: Event)] = []
    /// When calls fail.
    package var storms: [Storm] = []
    /// When nothing happens any more but what the daemon does.
    package var calm = Duration.zero
    /// Whether the daemon is down, or away from its cache, for so long that records are trimmed.
    package var losesRecords = false

    /// A scenario in which nothing happens.
    package init() {}
}
