/// Which DescribeStream call is the next one, and when: listings on a beat, and between them the children of shards
/// that have just ended.
///
/// A value without a clock of its own; times are ``WalkClock/uptime``. One call is under way at a time.
package struct DiscoveryPlan: Sendable {
    /// What to do next.
    package enum Step: Equatable, Sendable {
        /// Make this call now.
        case call(ShardSelection)
        /// Nothing to do until then.
        case wait(until: Duration)
    }

    /// What an answer has brought.
    package enum Outcome: Equatable, Sendable {
        /// Part of a listing, or some children.
        case partial
        /// A listing is whole; it held these shards.
        case whole(Set<ShardID>)
        /// A listing did not come to an end, and says nothing about what is missing from it.
        case endless
    }

    private struct Listing {
        var cursor: ShardID?
        var listed: Set<ShardID> = []
        var pages = 0
        var startedAt: Duration
    }

    private struct Search {
        var attempts = 0
        var due: Duration
    }

    /// The pause between two listings, at least.
    package static let beat = Duration.seconds(30)
    /// The pause before a listing that somebody waits for: a child without its parent, an end without children.
    private static let urgentBeat = Duration.seconds(2)
    /// How often the children of one shard are asked for before the listings alone are relied on.
    private static let searchesMaximum = 10
    /// How long after a shard's end listings are urgent because no child has shown up.
    private static let searchTimeMaximum = Duration.seconds(300)
    /// A listing of more pages (of 100 shards) than this is taken for one that never ends.
    private static let pagesMaximum = 10_000

    private var listing: Listing?
    private var nextListing: Duration
    private var searches: [ShardID: Search] = [:]
    private var childless: [ShardID: Duration] = [:]
    private var lastListingPages = 1
    private var refusesFilter = false
    private var lastWasSearch = false
    private var backoff: Backoff
    private var blockedUntil = Duration.zero
    private var isUrgent = false

    /// A plan that begins with a listing at once.
    package init(at now: Duration, generator: SeededGenerator) {
        nextListing = now
        backoff = Backoff(
            base: .milliseconds(100), maximum: .seconds(10), generator: generator)
    }

    /// What to do now.
    package func next(at now: Duration) -> Step {
        if now < blockedUntil { return .wait(until: blockedUntil) }
        if let search = dueSearch(at: now), listing == nil || !lastWasSearch {
            return .call(.children(of: search))
        }
        if let listing { return .call(.all(after: listing.cursor)) }
        if nextListing <= now { return .call(.all(after: nil)) }
        let nextSearch = searches.values.map(\.due).min() ?? nextListing
        return .wait(until: min(nextListing, nextSearch))
    }

    /// The shard whose children are to be asked for: when more shards have ended than a listing has pages,
    /// a listing is the cheaper way to find them.
    private func dueSearch(at now: Duration) -> ShardID? {
        guard !refusesFilter, searches.count <= max(8, lastListingPages) else { return nil }
        return searches.filter { $0.value.due <= now }
            .min { ($0.value.due, $0.key) < ($1.value.due, $1.key) }?.key
    }

    /// Looks for the children of a shard that has ended.
    package mutating func shardEnded(_ id: ShardID, at now: Duration) {
        searches[id] = Search(due: now)
        childless[id] = now
        if refusesFilter || searches.count > max(8, lastListingPages) { hurry(at: now) }
    }

    /// Stops looking for the children of a shard: they are known, or there will be none.
    package mutating func settle(_ id: ShardID) {
        searches[id] = nil
        childless[id] = nil
    }

    /// The shards that have ended and have no known child.
    package var openEnds: [ShardID] { Array(childless.keys) }

    /// Whether the children of a shard are still asked for by name.
    package func isSearching(_ id: ShardID) -> Bool { searches[id] != nil }

    /// Takes in an answer.
    package mutating func answered(
        _ selection: ShardSelection, with description: StreamDescription, at now: Duration
    ) -> Outcome {
        backoff.reset()
        switch selection {
        case .children(let id):
            lastWasSearch = true
            retrySearch(of: id, at: now)
            return .partial
        case .all(let cursor):
            lastWasSearch = false
            var current = listing ?? Listing(startedAt: now)
            current.listed.formUnion(description.shards.map(\.id))
            current.pages += 1
            guard let next = description.lastEvaluated else {
                return end(current, at: now)
            }
            // A cursor that does not move on would be asked for ever.
            guard current.pages < Self.pagesMaximum, cursor.map({ $0 < next }) ?? true else {
                listing = nil
                nextListing = now + Self.beat
                return .endless
            }
            current.cursor = next
            listing = current
            return .partial
        }
    }

    /// Takes in that a call failed; the same call, or a listing in its place, follows after a pause.
    package mutating func failed(
        _ selection: ShardSelection, as kind: SourceError.Kind, at now: Duration
    ) {
        if case .children(let id) = selection {
            lastWasSearch = true
            // Emulators and older endpoints don't know the filter. A listing finds children as well.
            if kind == .invalid { refusesFilter = true }
            retrySearch(of: id, at: now)
            hurry(at: now)
        }
        blockedUntil = now + (kind == .denied ? .seconds(30) : backoff.next())
    }

    /// Asks for a listing soon; `isWanted` says whether somebody still waits for one.
    package mutating func setUrgent(_ isWanted: Bool, at now: Duration) {
        isUrgent = isWanted
        if isWanted { nextListing = min(nextListing, now + Self.urgentBeat) }
    }

    private mutating func hurry(at now: Duration) { nextListing = min(nextListing, now) }

    private mutating func end(_ current: Listing, at now: Duration) -> Outcome {
        listing = nil
        lastListingPages = current.pages
        childless = childless.filter { now - $0.value < Self.searchTimeMaximum }
        let isUrgent = isUrgent || !childless.isEmpty
        // At least three quarters of the budget stay free for others.
        let rest = (now - current.startedAt) * 3
        nextListing = now + max(rest, isUrgent ? Self.urgentBeat : Self.beat)
        return .whole(current.listed)
    }

    /// 50 ms, doubling to 1 s, 20 % more or less: the figures of AWS's own adapter.
    private mutating func retrySearch(of id: ShardID, at now: Duration) {
        guard var search = searches[id] else { return }
        search.attempts += 1
        guard search.attempts < Self.searchesMaximum, !refusesFilter else {
            searches[id] = nil
            hurry(at: now + Self.urgentBeat)
            return
        }
        let pause = min(Duration.milliseconds(50 << min(search.attempts - 1, 10)), .seconds(1))
        search.due = now + pause * Double.random(in: 0.8...1.2, using: &backoff.generator)
        searches[id] = search
    }
}
