/// The shards that a service has not found: how often and since when, and which of them wait for a listing to have its say.
///
/// A value without a clock of its own; times are ``WalkClock/uptime``.
struct MissingShards: Sendable {
    private struct Doubt {
        let since: Duration
        var count = 0
    }

    /// How often in a row, and for how long, a shard must not be found before that is believed against a listing.
    private static let countMinimum = 3
    private static let timeMinimum = Duration.seconds(20)

    private var doubts: [ShardID: Doubt] = [:]
    private var awaited: [ShardID: Duration] = [:]

    /// Notes that a shard was not found, at once or after pages of it: then it was there before, and is doubted anew.
    mutating func note(_ id: ShardID, afterPages hasRead: Bool, at now: Duration) {
        if hasRead { forget(id) }
        doubts[id, default: Doubt(since: now)].count += 1
    }

    /// Whether a shard was not found so often, and for so long, that it is gone.
    func isBelieved(_ id: ShardID, at now: Duration) -> Bool {
        guard let doubt = doubts[id] else { return false }
        return doubt.count >= Self.countMinimum && now - doubt.since >= Self.timeMinimum
    }

    /// Forgets what was said of a shard.
    mutating func forget(_ id: ShardID) { doubts[id] = nil }

    /// Lets a shard wait for a listing that is begun after `now`.
    mutating func awaitListing(of id: ShardID, from now: Duration) { awaited[id] = now }

    /// Whether a shard waits for a listing.
    var isWaiting: Bool { !awaited.isEmpty }

    /// Hands out those that have waited for a listing which was begun at a time, in the order of their names.
    mutating func takeThose(before begunAt: Duration) -> [ShardID] {
        let due = awaited.filter { $0.value < begunAt }.keys.sorted()
        for id in due { awaited[id] = nil }
        return due
    }
}
