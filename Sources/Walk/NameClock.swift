/// The time of a service as the names of its shards tell it, for saying how old a shard is.
///
/// On AWS the names hold the present time. Other servers may run on a clock of their own, years away or a thousand times
/// too fast; how old a shard is can still be told there, by the newest of the names.
package struct NameClock: Sendable {
    /// When the newest shard was created, in seconds since 1970 by the service's clock; nil where no name says.
    package private(set) var newest: Double?
    /// How far the names' clock is ahead of ours, in seconds; 0 as far as they may agree.
    private var offset = 0.0

    /// How far the newest name may be behind the present time, in seconds: shards that nothing continues, because their
    /// stream was switched off, are listed for a day or longer after the four hours or more that they were open.
    private static let oldest = 1.5 * ShardTree.retention
    /// The same for a stream that is switched on: its shards are open for about four hours.
    private static let oldestOpen = 6 * 3_600.0

    /// A clock that has seen no name.
    init() {}

    /// The clock as it was known when a stream was begun.
    init(at beginning: Checkpoint.Beginning) {
        newest = beginning.newestShardTime
        set(at: beginning.time)
    }

    /// Learns from the names of listed shards at `time`, in seconds since 1970 by our clock.
    mutating func see(_ shards: [Shard], at time: Double) {
        guard let listed = shards.compactMap(\.id.creationTime).max(),
            newest.map({ $0 < listed }) ?? true
        else { return }
        newest = listed
        set(at: time)
    }

    /// Whether names are given by the same clock as ours, as far as that can be told.
    package var agrees: Bool { newest != nil && offset == 0 }

    /// Whether a name is so new that its clock and ours hardly differ, as far as that can be told of an open stream.
    package func isCurrent(at time: Double) -> Bool {
        agrees && newest.map { time - $0 < Self.oldestOpen } ?? false
    }

    /// What the names' clock shows at `time` by ours, both in seconds since 1970.
    package func time(at time: Double) -> Double { time + offset }

    /// How old a shard is at `time`, in seconds, or nil where its name does not say.
    package func age(of id: ShardID, at time: Double) -> Double? {
        id.creationTime.map { self.time(at: time) - $0 }
    }

    /// Compares the clocks when there is a new name: an old one would look right some day, if its clock is ahead.
    private mutating func set(at time: Double) {
        guard let newest else { return }
        let mayAgree = (-StartPosition.clockTolerance...Self.oldest).contains(time - newest)
        offset = mayAgree ? 0 : newest - time
    }
}

extension Checkpoint.Beginning {
    /// When the stream was begun by the clock of its shards' names, in seconds since 1970.
    var nameTime: Double { NameClock(at: self).time(at: time) }
}
