/// The records of a table's changes, spread over shards.
///
/// One shard is open per partition of the table. Now and then a shard is closed and one child goes on where
/// it ended, or several share its keys, or none is there until one of its keys is written to again. All numbers,
/// names and moments come from a seeded generator.
struct Stream: Sendable {
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
    /// One record in so many comes after an empty stretch.
    private static let stretch = 32

    private let pace: Pace
    /// The most parts of the keys that splits by chance lead to.
    private let partsMax: Int
    private var shards: [String: Shard] = [:]
    /// The shards' names in order.
    private(set) var shardIDs: [String] = []
    /// All parts of the keys, in the order of their hashes; none once the stream is switched off.
    private var parts: [Part] = []
    private var agenda = Agenda<Chore>()
    private var generator: SeededGenerator
    private var tail: UInt64

    /// A part of the keys and its newest shard.
    private struct Part {
        let hashes: ClosedRange<UInt64>
        let shard: String
        /// Where the shard ended, if it was closed without a child.
        var end: UInt64?
    }

    /// Something that is due at a moment.
    private enum Chore {
        /// A shard's time is over, unless it was closed by hand before.
        case close(String)
        /// The first records of a shard are too old, unless the shard is gone.
        case trim(String)
        /// A closed shard can't be read any more.
        case expire(String)
        /// A shard is listed no more.
        case remove(String)
    }

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
        partsMax = 4 * partitions.count
        self.generator = generator
        created = moment
        tail = self.generator.next() % 1_000_000
        for hashes in partitions {
            // Between 3 and 90: a few dozen records later the numbers are a digit longer.
            let start = number(after: UInt64.random(in: 2..<90, using: &self.generator))
            let id = makeShard(hashes, parent: nil, start: start, at: moment)
            parts.append(Part(hashes: hashes, shard: id))
        }
        shardIDs = parts.map(\.shard).sorted()
    }

    /// The service's word for whether the stream grows at a moment.
    func status(at moment: Moment) -> String {
        if let disabled { return moment - disabled < pace.transition ? "DISABLING" : "DISABLED" }
        return isEnabling(at: moment) ? "ENABLING" : "ENABLED"
    }

    private func isEnabling(at moment: Moment) -> Bool {
        disabled == nil && moment - created < pace.transition
    }

    /// The parts of the keys, each of which has had a shard of its own.
    var partitions: [ClosedRange<UInt64>] { parts.map(\.hashes) }

    /// The open shards, in the order of their hashes.
    var open: [String] { parts.filter { $0.end == nil }.map(\.shard) }

    /// The shard of that name, unless it never was or has been trimmed.
    func shard(_ id: String) -> Shard? { shards[id] }

    // MARK: Time

    /// Whether nothing of the stream is kept any more.
    func isGone(at moment: Moment) -> Bool {
        disabled.map { moment - $0 > pace.retention } ?? false
    }

    /// Closes the shards whose time has come, each at its own moment, and drops what is too old.
    mutating func advance(to moment: Moment) {
        var lastRemoved: String?
        while let (due, chore) = agenda.removeNext(dueAt: moment) {
            switch chore {
            case .close(let id): closeByChance(id, at: due)
            case .trim(let id):
                shards[id]?.trim(before: moment + -pace.retention)
                if let oldest = shards[id]?.records.first?.created { noteTrim(of: id, oldest) }
            case .expire(let id):
                shards[id]?.expire()
                agenda.note(.remove(id), at: due + (shards[id]?.lateListing ?? 0))
            case .remove(let id):
                shards[id] = nil
                lastRemoved = max(id, lastRemoved ?? "")
            }
        }
        guard let lastRemoved else { return }
        // Names begin with the time: those that are gone are among the oldest.
        let old = Self.index(after: lastRemoved, in: shardIDs)
        shardIDs.replaceSubrange(..<old, with: shardIDs[..<old].filter { shards[$0] != nil })
    }

    /// Closes a shard whose time has come, and opens as many children as chance has it.
    private mutating func closeByChance(_ id: String, at moment: Moment) {
        guard openPlace(of: id) != nil else { return }
        let hasRoom = parts.count + pace.splitChildren - 1 <= partsMax
        if hasRoom, happens(pace.splitShare), split(id, into: pace.splitChildren, at: moment) {
            return
        }
        if happens(pace.leafShare) {
            closeWithoutChild(id, at: moment)
        } else {
            rollOver(id, at: moment)
        }
    }

    /// Whether something comes about that does so in a share of all cases.
    private mutating func happens(_ share: Double) -> Bool {
        // Where it never does no number is drawn, and what follows from a seed stays what it was.
        share > 0 && Double.random(in: 0..<1, using: &generator) < share
    }

    /// Notes that a shard's oldest record, which was made at a moment, is to be dropped in due time.
    private mutating func noteTrim(of id: String, _ oldest: Moment) {
        agenda.note(.trim(id), at: end(of: oldest))
    }

    /// When what was made or closed at a moment is dropped.
    ///
    /// This is done at intervals, so that records outlive their time a little, as they do on AWS.
    private func end(of moment: Moment) -> Moment {
        let interval = max(1, pace.retention / 96)
        let age = moment + pace.retention + 1 - created
        return created + (age + interval - 1) / interval * interval
    }

    // MARK: Shards

    /// Closes a shard and opens one child in its place.
    /// - Returns: false where the shard is not open.
    @discardableResult
    mutating func rollOver(_ id: String, at moment: Moment) -> Bool {
        replace(id, at: moment) { [$0] }
    }

    /// Closes a shard and opens so many children, each with its share of the keys.
    /// - Returns: false where the shard is not open, or too narrow to be divided.
    @discardableResult
    mutating func split(_ id: String, into count: Int, at moment: Moment) -> Bool {
        guard let hashes = shards[id]?.hashes, hashes.lowerBound < hashes.upperBound else {
            return false
        }
        return replace(id, at: moment) { Self.divide($0, by: count) }
    }

    /// Closes a shard and opens no child, as where capacity shrinks.
    ///
    /// A child is opened when one of its keys is written to again: a reader who takes parents first then finds
    /// the changes of each key in order. As long as none is, there is none, if need be for ever.
    /// - Returns: false where the shard is not open.
    @discardableResult
    mutating func closeWithoutChild(_ id: String, at moment: Moment) -> Bool {
        guard let place = openPlace(of: id) else { return false }
        parts[place].end = close(id, at: moment).counter
        return true
    }

    /// Switches the stream off: all shards are closed and none follows.
    mutating func disable(at moment: Moment) {
        disabled = moment
        for id in open { close(id, at: moment) }
        parts = []
    }

    private mutating func replace(
        _ id: String, at moment: Moment, by ranges: (ClosedRange<UInt64>) -> [ClosedRange<UInt64>]
    ) -> Bool {
        guard let place = openPlace(of: id) else { return false }
        let end = close(id, at: moment).counter
        let children = ranges(parts[place].hashes).map { hashes in
            openChild(of: id, hashes, after: end, at: moment)
        }
        parts.replaceSubrange(place...place, with: children)
        return true
    }

    private mutating func openChild(
        of parent: String, _ hashes: ClosedRange<UInt64>, after end: UInt64, at moment: Moment
    ) -> Part {
        let id = makeShard(hashes, parent: parent, start: number(after: end), at: moment)
        shardIDs.insert(id, at: Self.index(after: id, in: shardIDs))
        return Part(hashes: hashes, shard: id)
    }

    /// Where the part of an open shard is; nil where the shard is not open.
    private func openPlace(of id: String) -> Int? {
        guard let hashes = shards[id]?.hashes else { return nil }
        let place = place(of: hashes.lowerBound)
        let isOpen = place < parts.count && parts[place].shard == id && parts[place].end == nil
        return isOpen ? place : nil
    }

    /// A range in so many parts of about one size, or as many as it has hashes.
    private static func divide(
        _ hashes: ClosedRange<UInt64>, by count: Int
    ) -> [ClosedRange<UInt64>] {
        var (parts, rest) = ([ClosedRange<UInt64>](), hashes)
        for left in stride(from: UInt64(count), to: 1, by: -1)
        where rest.lowerBound < rest.upperBound {
            let last = rest.lowerBound + (rest.upperBound - rest.lowerBound) / left
            parts.append(rest.lowerBound...last)
            rest = (last + 1)...rest.upperBound
        }
        return parts + [rest]
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
        agenda.note(.expire(id), at: self.end(of: moment))
        return end
    }

    /// Makes an open shard, which is not among `parts` and `shardIDs` yet.
    private mutating func makeShard(
        _ hashes: ClosedRange<UInt64>, parent: String?, start: SequenceNumber, at moment: Moment
    ) -> String {
        // A child's name sorts after its parent's, even where both were opened in one millisecond.
        let earliest = parent.flatMap { shards[$0]?.created }.map { $0 + 1 }
        let created = max(moment, earliest ?? moment)
        var id: String
        repeat {
            id = Self.name(created, generator.text(8, of: "0123456789abcdef"))
        } while shards[id] != nil
        if let parent { shards[parent]?.children.append(id) }
        let delay = Int.random(in: 0...pace.listingDelayMax, using: &generator)
        let leading = Int.random(in: 0...pace.emptyPagesMax, using: &generator)
        let trailing = Int.random(in: 0...pace.emptyPagesMax, using: &generator)
        // Unless there is something to draw no number is drawn.
        let lateMax = pace.lateListingMax
        let late = lateMax > 0 ? Int.random(in: 0...lateMax, using: &generator) : 0
        shards[id] = Shard(
            id: id, parent: parent, created: created,
            listed: moment + (parent == nil ? 0 : delay), lateListing: late, hashes: hashes,
            start: start, leadingEmptyPages: leading, trailingEmptyPages: trailing)
        schedule(id, created)
        return id
    }

    private static func name(_ created: Moment, _ mark: String) -> String {
        "shardId-\(Moment.padded(created.milliseconds, 20))-\(mark)"
    }

    private mutating func schedule(_ id: String, _ created: Moment) {
        guard let interval = pace.rolloverInterval else { return }
        let isFirst = shards[id]?.parent == nil
        // The first ones are staggered, so that not all of them are closed at once for ever after.
        let wait = Int.random(
            in: (isFirst ? interval / 4 : interval * 3 / 4)...(interval * 5 / 4),
            using: &generator)
        agenda.note(.close(id), at: created + max(1, wait))
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
        let place = place(of: change.key.hash)
        if let end = parts[place].end {
            parts[place] = openChild(
                of: parts[place].shard, parts[place].hashes, after: end, at: moment)
        }
        let id = parts[place].shard
        guard let newest = shards[id]?.newest else {
            preconditionFailure("an open shard is listed")
        }
        let last = shards[id]?.records.last
        let record = StreamRecord(
            change, number(after: newest.counter), at: moment, view, region: region,
            userIdentity: userIdentity,
            readable: max(moment + recordDelay(), last?.readable ?? moment),
            emptyPages: emptyPages(), using: &generator)
        let isFirst = last == nil
        shards[id]?.append(record)
        if isFirst { noteTrim(of: id, moment) }
        if isFull(id) { closeByChance(id, at: moment) }
    }

    private func isFull(_ id: String) -> Bool {
        guard let shard = shards[id] else { return false }
        return (pace.shardRecordsMax.map { shard.endIndex >= $0 } ?? false)
            || (pace.shardBytesMax.map { shard.bytes >= $0 } ?? false)
    }

    private mutating func recordDelay() -> Int {
        // Without delays no number is drawn.
        guard pace.recordDelayMax > 0 else { return 0 }
        return Int.random(in: 0...pace.recordDelayMax, using: &generator)
    }

    /// How many empty pages come before a record: none, for all but a few.
    private mutating func emptyPages() -> Int {
        guard pace.emptyPagesMax > 0, Int.random(in: 0..<Self.stretch, using: &generator) == 0
        else { return 0 }
        return Int.random(in: 1...pace.emptyPagesMax, using: &generator)
    }

    /// Where the part of the keys with a hash is.
    private func place(of hash: UInt64) -> Int {
        var (lower, upper) = (0, parts.count - 1)
        while lower < upper {
            let middle = (lower + upper) / 2
            if parts[middle].hashes.upperBound < hash { lower = middle + 1 } else { upper = middle }
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
