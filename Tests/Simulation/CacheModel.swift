import Records
import Walk

/// A cache with values and positions: transactions that are atomic, connections that break, and a history, for whoever
/// loses some of it.
struct CacheModel: Sendable {
    /// What the cache holds at a moment.
    struct Content: Sendable {
        /// The values by their keys.
        var values: [String: String] = [:]
        /// The version of each key that was written last, removals included.
        var versions: [String: Int] = [:]
        /// When the reading of the stream began, as the positions say; nil where they are not complete.
        var beginning: Checkpoint.Beginning?
        /// The positions by their shards.
        var positions: [ShardID: String] = [:]

        /// The positions as they are read.
        var readPositions: [ShardID: Position] {
            positions.compactMapValues(Position.init(cached:))
        }
    }

    /// What a transaction writes.
    struct Write: Sendable {
        /// The keys with their values; nil removes a key.
        var values: [(key: String, value: String?)]
        /// The shard that moves.
        var step: Step?
    }

    /// A transaction that is on its way although its connection is broken.
    struct Stray: Sendable {
        let due: Duration
        let write: Write
    }

    /// What takes a change back.
    private enum Undo: Sendable {
        case write(
            values: [(key: String, value: String?, version: Int?)], shard: ShardID?,
            position: String?)
        case all(Content)
    }

    /// What is there.
    private(set) var content = Content()
    /// What takes each change back, with the time of the change in seconds since 1970.
    private var history: [(time: Double, undo: Undo)] = []

    /// The connection of the present process; nil while there is none.
    var connection: Int?
    private var connections = 0
    /// The present era: grows with each connection, and when positions are found to be missing.
    private(set) var era = 0
    /// Transactions of broken connections that nobody has kept from being executed yet.
    var strays: [Stray] = []
    /// Whether the cache has made room by removing the positions, which were not written again since.
    private(set) var isEvicted = false

    /// Makes the connection anew.
    mutating func connect() {
        connections += 1
        connection = connections
        era += 1
    }

    /// Notes that positions were found to be missing.
    mutating func beginEra() { era += 1 }

    /// Executes a transaction, and returns what stood in the place of the shard's position.
    mutating func execute(
        _ write: Write, versions: [Int?], at time: Double
    ) -> String? {
        let shard = write.step?.shard
        let before = shard.flatMap { content.positions[$0] }
        history.append(
            (
                time,
                .write(
                    values: write.values.map {
                        ($0.key, content.values[$0.key], content.versions[$0.key])
                    }, shard: shard, position: before)
            ))
        for ((key, value), version) in zip(write.values, versions) {
            content.values[key] = value
            if let version { content.versions[key] = version }
        }
        if let shard { content.positions[shard] = write.step?.to.cached }
        return before
    }

    /// Replaces the positions.
    mutating func replacePositions(
        _ beginning: Checkpoint.Beginning, _ positions: [ShardID: String], at time: Double
    ) {
        history.append((time, .all(content)))
        content.beginning = beginning
        content.positions = positions
        isEvicted = false
    }

    /// Removes positions.
    mutating func removePositions(_ shards: [ShardID], at time: Double) {
        history.append((time, .all(content)))
        for shard in shards { content.positions[shard] = nil }
    }

    /// Puts another position in the place of one.
    mutating func setPosition(_ position: String, of shard: ShardID, at time: Double) {
        history.append((time, .all(content)))
        content.positions[shard] = position
    }

    /// Removes all positions, perhaps because the cache `isEvicted`.
    mutating func removePositions(byEviction isEvicted: Bool, at time: Double) {
        history.append((time, .all(content)))
        content.beginning = nil
        content.positions = [:]
        self.isEvicted = isEvicted
    }

    /// Loses everything, as a restart without persistence does.
    mutating func empty(at time: Double) {
        history.append((time, .all(content)))
        content = Content()
        isEvicted = false
    }

    /// Forgets what was done since a time, as a replica does that has not got it yet.
    mutating func forget(since time: Double) {
        while let (made, undo) = history.last, made >= time {
            history.removeLast()
            switch undo {
            case .all(let before): content = before
            case .write(let values, let shard, let position):
                for (key, value, version) in values {
                    content.values[key] = value
                    content.versions[key] = version
                }
                if let shard { content.positions[shard] = position }
            }
        }
        // Another server counts its evictions anew.
        isEvicted = false
    }
}

/// What is known of the cache and of the walk's knowledge of it, beside what it holds.
struct CacheNotes: Sendable {
    /// The newest version of each key that was acknowledged, or that the walk has learned of from the positions.
    var acknowledged: [String: Int] = [:]
    /// The version of each key that the next write has to be newer than: what the walk goes on from holds it already.
    var order: [String: Int] = [:]
    /// The newest version of each key that the present process was told of by its checkpoint.
    var remembered: [String: Int] = [:]
    /// What the present process was told to be written, with the time in seconds since 1970.
    var applied: [(time: Double, key: String, version: Int)] = []
    /// How many of these may be lost again.
    var appliedBeforeLoss = 0
    /// The versions that were lost and need not be written again, as the policy says.
    var excused: [String: Int] = [:]
    /// Whether positions and values were never parted: as long as they are together, no key ever goes back.
    var isExact = true
    /// How often something was lost.
    var losses = 0
    /// How often, when something was lost for the last time that has to be noticed: no position of a shard that is idle has.
    var lossesToSee = 0
    /// How many of these the present process has taken in.
    var lossesSeen = 0
    /// Whether the next checkpoint may go back, as the walk has taken in a loss; and whether those after it may, until
    /// positions are written again.
    var mayRewind = false
    var mayRewindUntilEstablished = false
    /// Whether the policy has the walk end.
    var hasToEnd = false
    /// The era in which the positions were read for the last time.
    var era = 0
    /// When the cache has answered the process for the last time, in seconds since 1970.
    var answeredAt = 0.0
    /// When something was lost for the last time, in seconds since 1970.
    var lostAt = 0.0
    /// How often the positions were read with success, and the number of reasons there were for it.
    var takeUps = 0
    var causes = 0
    /// The records that the walk knows to be lost, and how many it has written again since the last report.
    var pending: Set<Place> = []
    var recovered = 0
    /// The beginnings that were written with positions.
    var beginnings: [Checkpoint.Beginning] = []
    /// The shards whose positions could not be removed.
    var kept: Set<ShardID> = []

    /// One record's place.
    struct Place: Hashable, Sendable {
        let shard: ShardID
        let number: SequenceNumber
    }
}
