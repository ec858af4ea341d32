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
        /// A listing that was begun at a time is whole; it held these shards.
        case whole(Set<ShardID>, begunAt: Duration)
        /// A listing did not come to an end, and says nothing about what is missing from it.
        case endless
    }

    private struct Listing {
        var cursor: ShardID?
        var cursors: Set<ShardID> = []
        var listed: Set<ShardID> = []
        var begunAt: Duration
    }

    /// A shard that has ended and has no known child.
    private struct End {
        let at: Duration
        /// How many answers have shown no child.
        var misses = 0
        /// How many of them were whole listings.
        var listings = 0
    }

    /// The pause between two listings, at least.
    package static let beat = Duration.seconds(30)
    /// The pause before a listing that somebody waits for: a child without its parent, an end without children.
    private static let urgentBeat = Duration.seconds(2)
    /// How often the children of one shard are asked for before the listings alone are relied on.
    private static let missesMaximum = 10
    /// How many listings have to show no child to say that a shard most likely has none.
    private static let listingsMinimum = 2
    /// How long after a shard's end it is too early to say so.
    package static let lookingMinimum = Duration.seconds(10)
    /// The same where nobody looks again, because the stream is taken for read to its end.
    package static let lookingMinimumAtEnd = Duration.seconds(30)
    /// How long after a shard's end listings are urgent because no child has shown up.
    private static let searchTimeMaximum = Duration.seconds(300)
    /// A listing of more pages (of 100 shards) than this is taken for one that never ends.
    private static let pagesMaximum = 10_000

    private var listing: Listing?
    private var listingDue: Duration
    /// Before this time no listing begins, however urgent it is: others need calls as well.
    private var listingAllowed: Duration
    private var lastListingPages = 1
    private var ends: [ShardID: End] = [:]
    /// When the children of those are to be asked for that listings alone are not relied on for.
    private var searches: [ShardID: Duration] = [:]
    private var refusesFilter = false
    private var lastWasSearch = false
    private var backoff: Backoff
    private var blockedUntil = Duration.zero
    private var isUrgent = false

    /// A plan that begins with a listing at once.
    package init(at now: Duration, generator: SeededGenerator) {
        listingDue = now
        listingAllowed = now
        backoff = Backoff(
            base: .milliseconds(100), maximum: .seconds(10), generator: generator)
    }

    /// What to do now: a call that is handed out is under way until it is answered or has failed.
    package mutating func next(at now: Duration) -> Step {
        if now < blockedUntil { return .wait(until: blockedUntil) }
        let search = nextSearch
        if let search, search.due <= now, listing == nil || !lastWasSearch {
            return .call(.children(of: search.id))
        }
        if let listing { return .call(.all(after: listing.cursor)) }
        let due = max(listingDue, listingAllowed)
        if due <= now {
            listing = Listing(begunAt: now)
            return .call(.all(after: nil))
        }
        return .wait(until: search.map { min($0.due, due) } ?? due)
    }

    /// The shard whose children are to be asked for next; nil when more shards have ended than a listing has pages:
    /// then a listing is the cheaper way to find them.
    private var nextSearch: (due: Duration, id: ShardID)? {
        guard !refusesFilter, searches.count <= max(8, lastListingPages) else { return nil }
        return searches.min { ($0.value, $0.key) < ($1.value, $1.key) }.map { ($0.value, $0.key) }
    }

    // MARK: What is looked for

    /// Looks for the children of a shard that has ended.
    package mutating func shardEnded(_ id: ShardID, at now: Duration) {
        ends[id] = End(at: now)
        searches[id] = now
        if nextSearch == nil { hurry(at: now) }
    }

    /// Stops looking for the children of a shard: they are known.
    package mutating func settle(_ id: ShardID) {
        ends[id] = nil
        searches[id] = nil
    }

    /// The shards that have ended and have no known child, as long as that is new.
    package var openEnds: [ShardID] { Array(ends.keys) }

    /// Whether it is too early to say of some shard that it has no child and will have none.
    package func isLookingForChildren(at now: Duration) -> Bool {
        ends.keys.contains {
            isLookingForChildren(of: $0, for: Self.lookingMinimumAtEnd, at: now)
        }
    }

    /// Whether it is too early to say that a shard has no child, after `minimum` at the least.
    package func isLookingForChildren(
        of id: ShardID, for minimum: Duration = lookingMinimum, at now: Duration
    ) -> Bool {
        ends[id].map { end in end.listings < Self.listingsMinimum || now - end.at < minimum }
            ?? false
    }

    /// Asks for listings soon, for as long as somebody waits for one.
    package mutating func setUrgent(_ isWanted: Bool, at now: Duration) {
        isUrgent = isWanted
        if isWanted { hurry(at: now + Self.urgentBeat) }
    }

    private mutating func hurry(at time: Duration) { listingDue = min(listingDue, time) }

    // MARK: Answers

    /// Takes in an answer.
    package mutating func answered(
        _ selection: ShardSelection, with description: StreamDescription, at now: Duration
    ) -> Outcome {
        backoff.reset()
        switch selection {
        case .children(let id):
            lastWasSearch = true
            searchMissed(id, at: now)
            return .partial
        case .all:
            lastWasSearch = false
            // Taken out, so that what it holds is not copied for each page.
            guard var current = listing.take() else {
                preconditionFailure("no listing is under way")
            }
            current.listed.formUnion(description.shards.map(\.id))
            guard let next = description.lastEvaluated else {
                end(current, isWhole: true, at: now)
                return .whole(current.listed, begunAt: current.begunAt)
            }
            // A cursor that comes again would be asked for ever.
            guard current.cursors.insert(next).inserted, current.cursors.count < Self.pagesMaximum
            else {
                end(current, isWhole: false, at: now)
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
            searchMissed(id, at: now)
            hurry(at: now)
        }
        blockedUntil = now + (kind == .denied ? .seconds(30) : backoff.next())
    }

    /// Puts a listing away, and draws the conclusions if it is whole.
    private mutating func end(_ current: Listing, isWhole: Bool, at now: Duration) {
        listing = nil
        let pages = current.cursors.count + 1
        if isWhole {
            lastListingPages = pages
            for (id, var end) in ends where end.at < current.begunAt {
                end.listings += 1
                end.misses += 1
                if end.misses >= Self.missesMaximum { searches[id] = nil }
                ends[id] = end
                if now - end.at >= Self.searchTimeMaximum { settle(id) }
            }
        }
        // At least three quarters of the budget stay free for others; what an outage took is not charged.
        listingAllowed = now + min((now - current.begunAt) * 3, .seconds(pages))
        listingDue = now + (isWhole && (isUrgent || !ends.isEmpty) ? Self.urgentBeat : Self.beat)
    }

    /// 50 ms, doubling to 1 s, 20 % more or less: the figures of AWS's own adapter.
    private mutating func searchMissed(_ id: ShardID, at now: Duration) {
        guard var end = ends[id] else { return }
        end.misses += 1
        if end.misses < Self.missesMaximum, !refusesFilter {
            let pause = min(Duration.milliseconds(50 << min(end.misses - 1, 10)), .seconds(1))
            searches[id] = now + pause * Double.random(in: 0.8...1.2, using: &backoff.generator)
        } else {
            searches[id] = nil
            hurry(at: now + Self.urgentBeat)
        }
        ends[id] = end
    }
}
