import Records
import Walk

/// The truth about a stream: what was written, and in which shards it lies.
///
/// Items live in slots, which the open shards divide among themselves. An item is removed once; what is written to its
/// slot afterwards is another item, so that a removal in the cache can be told from all others.
struct StreamModel: Sendable {
    /// One record.
    struct Entry: Sendable {
        let number: SequenceNumber
        let key: String
        /// Counts the changes of an item from 1.
        let version: Int
        let operation: Record.Operation
        /// When it was made, in seconds since 1970 by the service's clock.
        let time: Double

        /// The item after the change, as the cache is to hold it; nil when it is removed.
        var image: String? {
            operation == .remove ? nil : #"{"id":{"S":"\#(key)"},"v":{"N":"\#(version)"}}"#
        }
    }

    /// One shard.
    struct ModelShard: Sendable {
        let id: ShardID
        let parent: ShardID?
        let start: SequenceNumber
        let createdAt: Double
        let slots: [Int]
        /// When the shard is listed at first, in seconds since 1970.
        let listedAt: Double
        /// How long records are kept at the least, in seconds.
        let retention: Double
        /// How long records are kept beyond the retention, in seconds.
        let laziness: Double
        /// How long the shard is listed beyond the retention, in seconds, at the least.
        let listedAfter: Double
        /// Whether the last page carries records, or an empty one follows it.
        let endsWithRecords: Bool
        /// Whether its first record has the number of its start, or one after it.
        let startsWithRecord: Bool
        var end: SequenceNumber?
        var closedAt = Double.infinity
        var entries: [Entry] = []

        /// How many of the oldest entries are trimmed at a time.
        func trimmed(at time: Double) -> Int {
            entries.prefix { $0.time < time - retention - laziness }.count
        }

        /// Whether the shard can't be read any more.
        func isGone(at time: Double) -> Bool {
            closedAt < time - retention - laziness
        }

        /// Whether DescribeStream lists the shard, which it does for longer than it can be read.
        func isListed(at time: Double) -> Bool {
            listedAt <= time && closedAt >= time - retention - max(2 * laziness, listedAfter)
        }

        /// The shard as a listing shows it that is as old as `time`.
        func listed(at time: Double) -> Shard {
            Shard(id: id, parent: parent, start: start, end: closedAt <= time ? end : nil)
        }
    }

    private struct Item {
        var generation = 0
        var version = 0
    }

    private(set) var shards: [ShardID: ModelShard] = [:]
    /// The names of all shards, in their order.
    private(set) var ids: [ShardID] = []
    private(set) var status = StreamStatus.enabling
    /// Where each change is: key, version, shard.
    private(set) var places: [String: [ShardID]] = [:]
    /// The last change of each item.
    private(set) var last: [String: Entry] = [:]
    private var items: [Int: Item] = [:]
    /// The shards that take records, in the order of their names.
    private(set) var open: [ShardID] = []
    /// The open shard of each slot.
    private var shardOfSlot: [Int: ShardID] = [:]
    // The length of the numbers grows on the way.
    private var counter = 99_900
    private var generator: SeededGenerator

    /// How long a child may be in sight before its parent is, in seconds.
    private static let precedence = 5.0

    private let shynessMaximum: Double
    private let hasTimelessNames: Bool
    private let nameOffset: Double
    private let retention: Double
    private let isForgetful: Bool

    /// The stream of a scenario, which is being switched on.
    init(_ scenario: Scenario) {
        generator = SeededGenerator(seed: scenario.seed)
        shynessMaximum = scenario.shynessMaximum
        hasTimelessNames = scenario.hasTimelessNames
        nameOffset = scenario.nameOffset
        retention = scenario.retention
        isForgetful = scenario.isForgetful
    }

    // MARK: What happens to the stream

    /// Makes the first shards.
    mutating func enable(shards count: Int, slots: Int, at time: Double) {
        status = .enabled
        for place in 0..<count {
            add(parent: nil, slots: Array(stride(from: place, to: slots, by: count)), at: time)
        }
    }

    /// Changes the item of a slot, at random.
    mutating func write(slot: Int, at time: Double) {
        guard let shard = shardOfSlot[slot] else { return }
        var item = items[slot] ?? Item()
        item.version += 1
        let key = "k\(slot)-\(item.generation)"
        let isRemoval = item.version > 1 && Int.random(in: 0..<6, using: &generator) == 0
        let start = shards[shard].flatMap {
            $0.startsWithRecord && $0.entries.isEmpty ? $0.start : nil
        }
        let entry = Entry(
            number: start ?? nextNumber(), key: key, version: item.version,
            operation: item.version == 1 ? .insert : isRemoval ? .remove : .modify, time: time)
        items[slot] = isRemoval ? Item(generation: item.generation + 1) : item
        shards[shard]?.entries.append(entry)
        places[key, default: []].append(shard)
        last[key] = entry
    }

    /// Closes an open shard, the newest one for a negative choice, and makes its children: one, or two that share its
    /// slots.
    mutating func rollOver(_ choice: Int, splitting: Bool, at time: Double) {
        guard status == .enabled, !open.isEmpty else { return }
        let id = open[choice < 0 ? open.count - 1 : choice % open.count]
        guard let shard = shards[id], shard.createdAt < time else { return }
        close(id, at: time)
        guard splitting, shard.slots.count > 1 else {
            return add(parent: id, slots: shard.slots, at: time)
        }
        let middle = shard.slots.count / 2
        add(parent: id, slots: Array(shard.slots[..<middle]), at: time)
        add(parent: id, slots: Array(shard.slots[middle...]), at: time)
    }

    /// Begins to switch the stream off: all shards close and have no children.
    mutating func disable(at time: Double) {
        status = .disabling
        for id in open { close(id, at: time) }
    }

    /// Ends switching off.
    mutating func endDisabling() { status = .disabled }

    private mutating func close(_ id: ShardID, at time: Double) {
        // It is the last record's number or one after it, as both are seen on AWS.
        let last = Bool.random(using: &generator) ? shards[id]?.entries.last?.number : nil
        let end = last ?? nextNumber()
        shards[id]?.end = end
        shards[id]?.closedAt = time
        open.remove(at: open.place(of: id))
        for slot in shards[id]?.slots ?? [] { shardOfSlot[slot] = nil }
    }

    private mutating func add(parent: ShardID?, slots: [Int], at time: Double) {
        let digits = hasTimelessNames ? String(ids.count) : String(Int((time + nameOffset) * 1_000))
        let width = hasTimelessNames ? 12 : 20
        let padded = String(repeating: "0", count: width - digits.utf8.count) + digits
        let mark = String(Int.random(in: 0x1000_0000...0x7FFF_FFFF, using: &generator), radix: 16)
        let id = ShardID("shardId-\(padded)-\(mark)")
        // A child may come into sight before its parent, but not by much.
        let shyness = parent == nil ? 0 : Double.random(in: 0...shynessMaximum, using: &generator)
        let earliest = parent.flatMap { shards[$0]?.listedAt }.map { $0 - Self.precedence }
        let listedAt = max(time + shyness, earliest ?? time)
        shards[id] = ModelShard(
            id: id, parent: parent, start: nextNumber(), createdAt: time, slots: slots,
            listedAt: listedAt,
            retention: retention,
            // Nothing is kept for longer than what comes after it.
            laziness: max(
                parent.flatMap { shards[$0]?.laziness } ?? 0,
                Double.random(in: 0...(isForgetful ? 0 : 7_200), using: &generator)),
            // A short memory is for the records alone. No shard is listed for longer than its children are.
            listedAfter: isForgetful ? 1_800 : 0,
            endsWithRecords: Bool.random(using: &generator),
            startsWithRecord: counter.isMultiple(of: 2))
        ids.insert(id, at: ids.place(of: id))
        open.insert(id, at: open.place(of: id))
        for slot in slots { shardOfSlot[slot] = id }
    }

    private mutating func nextNumber() -> SequenceNumber {
        counter += Int.random(in: 1...9, using: &generator)
        guard let number = SequenceNumber("\(counter)0000000000000499") else {
            preconditionFailure("a number of digits")
        }
        return number
    }

    // MARK: Looking at it

    /// The version that a key has in the cache with a value, or without one; nil for what was never written.
    func version(of key: String, value: String?) -> Int? {
        guard let value else { return last[key]?.operation == .remove ? last[key]?.version : nil }
        let digits = value.split(separator: "\"").dropLast().last.flatMap { Int($0) }
        guard let digits, let count = places[key]?.count, (1...count).contains(digits),
            value == #"{"id":{"S":"\#(key)"},"v":{"N":"\#(digits)"}}"#
        else { return nil }
        return digits
    }

    /// When a version of an item was made, in seconds since 1970; it has to be one that was.
    func time(of key: String, _ version: Int) -> Double {
        let shard = places[key].flatMap { shards[$0[version - 1]] }
        let entry = shard?.entries.first { $0.key == key && $0.version == version }
        guard let entry else { preconditionFailure("\(key) has no version \(version)") }
        return entry.time
    }

    /// Whether positions hold one of a shard after this one.
    func hasBegunDescendant(_ id: ShardID, in positions: [ShardID: String]) -> Bool {
        positions.keys.contains { $0 != id && leads(from: id, to: $0) }
    }

    /// Positions with those of the shards that they let go: whatever came before a shard that has one is over, unless it is
    /// `known` to be read again.
    func withAncestors(
        _ positions: [ShardID: Position], known: [ShardID: Position]
    ) -> [ShardID: Position] {
        var all = positions
        for id in positions.keys {
            var here = shards[id]?.parent
            while let ancestor = here, positions[ancestor] == nil {
                if known[ancestor] == nil || known[ancestor] == .end { all[ancestor] = .end }
                here = shards[ancestor]?.parent
            }
        }
        return all
    }

    /// Whether `ancestor` is `id` or comes before it in the lineage.
    func leads(from ancestor: ShardID, to id: ShardID) -> Bool {
        var here: ShardID? = id
        while let shard = here {
            if shard == ancestor { return true }
            here = shards[shard]?.parent
        }
        return false
    }
}

extension [ShardID] {
    /// Where a name is in a list in their order, or belongs.
    fileprivate func place(of id: ShardID) -> Int {
        var (lower, upper) = (startIndex, endIndex)
        while lower < upper {
            let middle = (lower + upper) / 2
            if self[middle] < id { lower = middle + 1 } else { upper = middle }
        }
        return lower
    }
}
