/// The records of a table's changes, spread over shards.
///
/// One shard is open per partition of the table. Now and then a shard is closed and one child goes on where
/// it ended, or two share its keys. All numbers, names and moments come from a seeded generator.
struct Stream: Sendable {
    /// How the shards of a stream live.
    ///
    /// All times are the service's own, in milliseconds.
    struct Pace: Hashable, Sendable {
        /// How long a shard stays open, within a quarter more or less; nil for ever.
        var rolloverInterval: Int?
        /// The share of the shards that split when that time is over.
        var splitShare = 0.0
        /// How long records are kept.
        var retention: Int
        /// The most empty pages that come before the first record and after the last one.
        var emptyPagesMax: Int
        /// How long DescribeStream may be behind, for each shard's beginning and end on its own.
        var listingDelayMax: Int
        /// How long a stream is ENABLING, without shards in sight, and DISABLING.
        var transition = 0
    }

    /// The stream's name, its label last.
    let arn: String
    /// When the stream was switched on, as text.
    let label: String
    /// The table.
    let table: String
    /// The table's key.
    let schema: KeySchema
    /// What records carry.
    let view: ViewType
    /// When the stream was switched on.
    let created: Moment
    /// When the stream was switched off; nil while it is on.
    private(set) var disabled: Moment?
    private let pace: Pace
    /// The most open shards that splits by chance lead to.
    private let openMax: Int
    private var shards: [String: Shard] = [:]
    /// The shards' names in order.
    private(set) var shardIDs: [String] = []
    /// The open shards, in the order of their hashes.
    private(set) var open: [String] = []
    /// When shards are to be closed, the next one last; some may have been closed by hand since.
    private var rollovers: [(due: Moment, shard: String)] = []
    private var nextTrim: Moment
    private var generator: SeededGenerator
    private var tail: UInt64

    /// A stream that is switched on now, with an open shard for each range of hashes.
    init(
        arn: String, label: String, table: String, schema: KeySchema, view: ViewType,
        partitions: [ClosedRange<UInt64>], pace: Pace, at moment: Moment,
        generator: SeededGenerator
    ) {
        self.arn = arn
        self.label = label
        self.table = table
        self.schema = schema
        self.view = view
        self.pace = pace
        openMax = 4 * partitions.count
        self.generator = generator
        created = moment
        nextTrim = moment
        tail = self.generator.next() % 1_000_000
        for hashes in partitions {
            // Between 3 and 90: a few dozen records later the numbers are a digit longer.
            let start = number(after: UInt64.random(in: 2..<90, using: &self.generator))
            openShard(hashes, parent: nil, start: start, at: moment)
        }
    }

    /// The service's word for whether the stream grows at a moment.
    func status(at moment: Moment) -> String {
        if let disabled { return moment - disabled < pace.transition ? "DISABLING" : "DISABLED" }
        return isEnabling(at: moment) ? "ENABLING" : "ENABLED"
    }

    private func isEnabling(at moment: Moment) -> Bool {
        disabled == nil && moment - created < pace.transition
    }

    /// The parts of the keys that have an open shard each.
    var partitions: [ClosedRange<UInt64>] { open.compactMap { shards[$0]?.hashes } }

    /// The shard of that name, unless it never was or has been trimmed.
    func shard(_ id: String) -> Shard? { shards[id] }

    // MARK: Time

    /// Whether nothing of the stream is kept any more.
    func isGone(at moment: Moment) -> Bool {
        disabled.map { moment - $0 > pace.retention } ?? false
    }

    /// Closes the shards whose time has come, each at its own moment, and trims.
    mutating func advance(to moment: Moment) {
        while let next = rollovers.last, next.due <= moment {
            rollovers.removeLast()
            // Without splits no number is drawn, and what follows from a seed stays what it was.
            let splits =
                pace.splitShare > 0 && open.count < openMax
                && Double.random(in: 0..<1, using: &generator) < pace.splitShare
            if !splits || !split(next.shard, at: next.due) { rollOver(next.shard, at: next.due) }
        }
        if moment >= nextTrim { trim(at: moment) }
    }

    /// Drops what is too old, and the shards that were closed before that.
    ///
    /// This is done at intervals, so that records outlive their time a little, as they do on AWS.
    private mutating func trim(at moment: Moment) {
        nextTrim = moment + max(1, pace.retention / 96)
        let horizon = moment + -pace.retention
        guard created < horizon else { return }
        shardIDs.removeAll { id in
            guard let closed = shards[id]?.closed, closed < horizon else {
                shards[id]?.trim(before: horizon)
                return false
            }
            shards[id] = nil
            return true
        }
    }

    // MARK: Shards

    /// Closes a shard and opens one child in its place.
    /// - Returns: false where the shard is not open.
    @discardableResult
    mutating func rollOver(_ id: String, at moment: Moment) -> Bool {
        replace(id, at: moment) { [$0] }
    }

    /// Closes a shard and opens two children, each with half of its keys.
    /// - Returns: false where the shard is not open, or too narrow to be halved.
    @discardableResult
    mutating func split(_ id: String, at moment: Moment) -> Bool {
        guard let hashes = shards[id]?.hashes, hashes.lowerBound < hashes.upperBound else {
            return false
        }
        let middle = hashes.lowerBound + (hashes.upperBound - hashes.lowerBound) / 2
        return replace(id, at: moment) { [$0.lowerBound...middle, (middle + 1)...$0.upperBound] }
    }

    /// Switches the stream off: all shards are closed and none follows.
    mutating func disable(at moment: Moment) {
        disabled = moment
        for id in open { close(id, at: moment) }
        open = []
        rollovers = []
    }

    private mutating func replace(
        _ id: String, at moment: Moment, by parts: (ClosedRange<UInt64>) -> [ClosedRange<UInt64>]
    ) -> Bool {
        guard let hashes = shards[id]?.hashes else { return false }
        let place = openIndex(of: hashes.lowerBound)
        guard place < open.count, open[place] == id else { return false }
        let end = close(id, at: moment)
        open.remove(at: place)
        for (offset, part) in parts(hashes).enumerated() {
            openShard(
                part, parent: id, start: number(after: end.counter), at: moment,
                place: place + offset)
        }
        return true
    }

    /// Closes a shard, on its last record's number or on one after it, as both are seen on AWS.
    @discardableResult
    private mutating func close(_ id: String, at moment: Moment) -> SequenceNumber {
        guard let newest = shards[id]?.newest else {
            preconditionFailure("an open shard is listed")
        }
        let end = Bool.random(using: &generator) ? newest : number(after: newest.counter)
        let delay = Int.random(in: 0...pace.listingDelayMax, using: &generator)
        shards[id]?.close(at: moment, end: end, listingDelay: disabled == nil ? delay : 0)
        return end
    }

    private mutating func openShard(
        _ hashes: ClosedRange<UInt64>, parent: String?, start: SequenceNumber, at moment: Moment,
        place: Int? = nil
    ) {
        // A child's name sorts after its parent's, even where both were opened in one millisecond.
        let earliest = parent.flatMap { shards[$0]?.created }.map { $0 + 1 }
        let created = max(moment, earliest ?? moment)
        var id: String
        repeat {
            let mark = generator.text(8, of: "0123456789abcdef")
            id = "shardId-\(Moment.padded(created.milliseconds, 20))-\(mark)"
        } while shards[id] != nil
        if let parent { shards[parent]?.children.append(id) }
        let delay = Int.random(in: 0...pace.listingDelayMax, using: &generator)
        shards[id] = Shard(
            id: id, parent: parent, created: created,
            listed: moment + (parent == nil ? 0 : delay), hashes: hashes, start: start,
            leadingEmptyPages: Int.random(in: 0...pace.emptyPagesMax, using: &generator),
            trailingEmptyPages: Int.random(in: 0...pace.emptyPagesMax, using: &generator))
        shardIDs.insert(id, at: Self.index(after: id, in: shardIDs))
        open.insert(id, at: place ?? open.count)
        schedule(id, created)
    }

    private mutating func schedule(_ id: String, _ created: Moment) {
        guard let interval = pace.rolloverInterval else { return }
        let isFirst = shards[id]?.parent == nil
        // The first ones are staggered, so that not all of them are closed at once for ever after.
        let wait = Int.random(
            in: (isFirst ? interval / 4 : interval * 3 / 4)...(interval * 5 / 4),
            using: &generator)
        let due = created + max(1, wait)
        let place = rollovers.firstIndex { $0.due <= due } ?? rollovers.count
        rollovers.insert((due, id), at: place)
    }

    private mutating func number(after counter: UInt64) -> SequenceNumber {
        tail += UInt64.random(in: 1...99, using: &generator)
        return SequenceNumber(
            counter: counter + UInt64.random(in: 1...3, using: &generator), tail: tail)
    }

    /// Where the first name after `id` is in a sorted list.
    private static func index(after id: String, in ids: [String]) -> Int {
        var (lower, upper) = (0, ids.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            if ids[middle] <= id { lower = middle + 1 } else { upper = middle }
        }
        return lower
    }

    // MARK: Writing

    /// Appends the record of a change to the shard that is open for its key.
    mutating func append(
        _ change: Change, at moment: Moment, region: String, userIdentity: JSON?
    ) {
        let id = open[openIndex(of: change.key.hash)]
        guard let newest = shards[id]?.newest else {
            preconditionFailure("an open shard is listed")
        }
        let record = StreamRecord(
            change, number(after: newest.counter), at: moment, view, region: region,
            userIdentity: userIdentity,
            using: &generator)
        shards[id]?.append(record)
    }

    private func openIndex(of hash: UInt64) -> Int {
        var (lower, upper) = (0, open.count - 1)
        while lower < upper {
            let middle = (lower + upper) / 2
            let isBelow = shards[open[middle]].map { $0.hashes.upperBound < hash } ?? false
            if isBelow { lower = middle + 1 } else { upper = middle }
        }
        return lower
    }

    // MARK: Listing

    /// A page of the shards after the given one as they are listed at a moment, and whether more follow.
    func listing(
        after id: String?, limit: Int, at moment: Moment
    ) -> (shards: [Shard], hasMore: Bool) {
        guard !isEnabling(at: moment) else { return ([], false) }
        let first = id.map { Self.index(after: $0, in: shardIDs) } ?? 0
        let listed = shardIDs[first...].lazy.compactMap { shards[$0] }
            .filter { $0.listed <= moment }.prefix(limit + 1)
        let page = Array(listed)
        return (Array(page.prefix(limit)), page.count > limit)
    }

    /// The direct children of a shard that are listed at a moment; none of one that is not known, or no
    /// more.
    func children(of parent: String, at moment: Moment) -> [Shard] {
        (shards[parent]?.children ?? []).compactMap { shards[$0] }.filter { $0.listed <= moment }
    }
}
