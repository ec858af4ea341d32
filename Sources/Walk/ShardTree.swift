package import Records

/// The shards of one stream with their lineage and positions: which may be read, and which are done.
///
/// A shard may be read when its parent is done, or when there is no parent to wait for: it never had one, or the stream
/// has trimmed it. DescribeStream is eventually consistent, so a parent that is not listed counts as trimmed only if its
/// child is old enough, or if it was missing from several whole listings.
package struct ShardTree: Sendable {
    /// What is done about a shard.
    package enum Phase: Sendable {
        /// It waits for its parent.
        case waiting
        /// It may be read.
        case ready
        /// A walk of it is under way.
        case reading
        /// Its walk has stopped before its end: at a goal, or because somebody has to act.
        case left
        /// It is drained and applied, or was never wanted.
        case done
    }

    /// One shard as the walk knows it.
    package struct Node: Sendable {
        /// The shard as it was last listed.
        package fileprivate(set) var shard: Shard
        /// What is remembered of it over a restart.
        package fileprivate(set) var memory: Checkpoint.Shard
        /// What is done about it.
        package fileprivate(set) var phase = Phase.waiting
        /// Whether the first iterator of the walk that begins now is to be opened at LATEST.
        package fileprivate(set) var opensAtLatest = false
        /// Whether nothing was left to read when it was last asked for a page.
        package fileprivate(set) var isCaughtUp = false
        /// Whether the cache was told that its position is not needed any more.
        fileprivate var isForgotten = false
        fileprivate var listingsWithoutParent = 0
        /// When the first of these was, by ``WalkClock/uptime``.
        fileprivate var parentMissedAt = Duration.zero

        fileprivate init(_ shard: Shard, _ memory: Checkpoint.Shard) {
            self.shard = shard
            self.memory = memory
        }
    }

    /// What a shard brings that is seen for the first time after the beginning.
    package enum Discovery: Equatable, Sendable {
        /// It will be read.
        case found
        /// It was listed only after one of its children had begun, and can't be put before it any more.
        case tooLate
        /// Like that, but all it holds is older than what is wanted.
        case tooOld
    }

    /// How long finished shards are remembered, in seconds.
    ///
    /// The service lists shards for more than 24 hours; 26 hours were too short for others (artie-labs/reader#399).
    static let finishedKept = 48.0 * 3_600
    /// How long the service keeps a record, in seconds, at the least.
    package static let retention = 24.0 * 3_600
    /// What is added to the retention, or taken from it, where a clock or a lazy service might be off: an hour.
    static let margin = 3_600.0
    /// How long after a shard's end, in seconds, it is news that no child is listed.
    private static let recent = 300.0
    /// How long after a shard's end, in seconds, all of its children are listed if one is.
    private static let siblingsListed = 60.0
    /// How many whole listings must miss a parent, over how many seconds at the least, before a young child goes on
    /// without it.
    private static let listingsToConfirm = 3
    private static let secondsToConfirm = 10.0
    /// No shard is passed without a doubt that ended so short a time ago, in seconds.
    private static let goneAgeMinimum = 5.0

    /// All shards that are known.
    package private(set) var nodes: [ShardID: Node] = [:]
    /// When the stream was begun, and where.
    package let beginning: Checkpoint.Beginning
    /// The service's time, as the shards' names tell it.
    package private(set) var names: NameClock
    /// How long after its end, in seconds, a listed shard may be gone: half as long as the youngest that was, as other
    /// servers than AWS's may keep their records for a shorter time.
    private var goneAge = Self.retention
    private var children: [ShardID: [ShardID]] = [:]
    private var waiting: Set<ShardID> = []
    /// Those of them whose parent is not known.
    private var orphans: Set<ShardID> = []
    private var ready: [ShardID] = []

    /// A stream as the checkpoint remembers it.
    ///
    /// A restart is how a blocked shard is tried again: it stays blocked if the walk goes on `inSameProcess`.
    package init(_ memory: Checkpoint.Stream, inSameProcess: Bool = false) {
        beginning = memory.beginning
        names = NameClock(at: beginning)
        // In the order of their names, so that a simulation repeats itself.
        let shards = memory.shards.sorted { $0.key < $1.key }
        for (id, shard) in shards {
            var shard = shard
            if !inSameProcess { shard.blocked = nil }
            insert(Node(Shard(id: id, parent: shard.parent), shard))
        }
        for (id, shard) in shards {
            if inSameProcess, shard.blocked != nil { nodes[id]?.phase = .left } else { settle(id) }
        }
    }

    /// A stream that nothing is remembered of, from its first whole listing.
    ///
    /// - Parameters:
    ///   - listing: every shard of the stream.
    ///   - start: where the stream is to be read from.
    ///   - time: now, in seconds since 1970.
    ///   - isServiceTime: whether that is known to be the service's time.
    package init(
        _ listing: [Shard], at start: StartPosition, time: Double, isServiceTime: Bool
    ) {
        names = NameClock()
        names.see(listing, at: time)
        // By a clock that may not be the records' own, what is new could be taken for old and be lost.
        let isComparable = isServiceTime && names.isCurrent(at: time)
        let leftOutBefore = isComparable ? time - StartPosition.clockTolerance : 0
        beginning = Checkpoint.Beginning(
            time: time, leftOutBefore: start == .latest ? leftOutBefore : nil,
            newestShardTime: names.newest)
        let listed = Set(listing.map(\.id))
        let parents = Set(listing.compactMap(\.lineageParent))
        for shard in listing where nodes[shard.id] == nil {
            var memory = Checkpoint.Shard(position: .trimHorizon, parent: shard.lineageParent)
            var opensAtLatest = false
            switch start {
            case .trimHorizon:
                // What is not trimmed yet has to stay so until we come to it.
                let isWhole =
                    names.age(of: shard.id, at: time).map { $0 < Self.retention - Self.margin }
                    ?? memory.parent.map(listed.contains) ?? false
                if isWhole, let start = shard.start { memory.position = .start(start) }
            case .latest:
                // A shard with a listed child is closed, even if its own page was too early to say so.
                opensAtLatest = shard.end == nil && !parents.contains(shard.id)
                memory.position = opensAtLatest ? .since(leftOutBefore) : .end
                memory.finishedAt = opensAtLatest ? nil : time
            }
            var node = Node(shard, memory)
            node.opensAtLatest = opensAtLatest
            insert(node)
        }
        for shard in listing {
            if nodes[shard.id]?.opensAtLatest == true { open(shard.id) } else { settle(shard.id) }
        }
    }

    // MARK: Learning

    /// Takes in shards of a later listing, and says what became of those that are new.
    package mutating func learn(
        _ shards: [Shard], time: Double
    ) -> [(shard: Shard, discovery: Discovery)] {
        var news: [(shard: Shard, discovery: Discovery)] = []
        names.see(shards, at: time)
        for shard in shards {
            if nodes[shard.id] != nil {
                update(shard)
                continue
            }
            var memory = Checkpoint.Shard(position: .trimHorizon, parent: shard.lineageParent)
            let begun = children[shard.id, default: []].filter { child in
                nodes[child].map { node in
                    node.memory.position.hasBegun || node.phase == .reading || node.phase == .ready
                } ?? false
            }
            if begun.isEmpty {
                memory.position = firstPosition(of: shard, time: time)
            } else {
                memory.position = .end
                memory.finishedAt = time
            }
            insert(Node(shard, memory))
            settle(shard.id)
            news.append(
                (
                    shard,
                    begun.isEmpty
                        ? .found
                        : begun.contains(where: isWanted(beforeChild:)) ? .tooLate : .tooOld
                )
            )
        }
        return news
    }

    /// Draws the conclusions from a whole listing: shards to forget, and children whose parents are gone.
    ///
    /// - Returns: those that begin without a parent which held changes that were wanted.
    package mutating func completeListing(
        _ listed: Set<ShardID>, time: Double, uptime: Duration
    ) -> [ShardID] {
        for (id, node) in nodes {
            guard let finishedAt = node.memory.finishedAt, !listed.contains(id),
                time - finishedAt > Self.finishedKept
            else { continue }
            // A child that has nothing yet to be remembered by needs its parent to be.
            let hasYoungChild = children[id, default: []].contains { child in
                nodes[child].map { !$0.memory.position.hasBegun } ?? false
            }
            if !hasYoungChild { remove(id) }
        }
        var bereft: [ShardID] = []
        for id in orphans.sorted() {
            guard isTrimmed(parentOf: id, time: time, uptime: uptime) else { continue }
            open(id)
            // Of a name without a time, only what was found later is known to be younger than the beginning.
            let isYounger = if case .start = nodes[id]?.memory.position { true } else { false }
            if id.creationTime != nil || isYounger, isWanted(beforeChild: id) { bereft.append(id) }
        }
        return bereft
    }

    /// Hands out the finished shards, each of them once, whose positions the cache does not need any more.
    ///
    /// They are listed no more, and their children carry on, or they will be forgotten here as well.
    package mutating func takeOver(_ listed: Set<ShardID>, time: Double) -> [ShardID] {
        var over: [ShardID] = []
        for (id, node) in nodes where !node.isForgotten && !listed.contains(id) {
            // A listing that is behind does not show yet what it will.
            guard let finishedAt = node.memory.finishedAt, time - finishedAt > Self.recent else {
                continue
            }
            let children = children[id, default: []].compactMap { nodes[$0] }
            let isContinued =
                children.isEmpty
                ? time - finishedAt > Self.finishedKept
                : children.allSatisfy { $0.memory.position.hasBegun }
            if isContinued { over.append(id) }
        }
        for id in over { nodes[id]?.isForgotten = true }
        return over.sorted()
    }

    /// Whether a shard waits for a parent that no listing has shown yet, so that another listing is wanted soon.
    package var hasOrphans: Bool { !orphans.isEmpty }

    /// The shards that continue `id`, as far as they are known.
    package func children(of id: ShardID) -> [Shard] {
        children[id, default: []].compactMap { nodes[$0]?.shard }
    }

    /// Whether a shard that continues `id` is known.
    package func hasChildren(_ id: ShardID) -> Bool { children[id] != nil }

    /// Whether a listed shard is too young for any of its records to be trimmed: not to find it is the service's mistake.
    package func isTooYoungToBeGone(_ id: ShardID, time: Double) -> Bool {
        ageAfterEnd(of: id, time: time).map { $0 < goneAge } ?? !isClosed(id)
    }

    /// Whether a shard with known children ended so long ago that the service no longer has to keep it.
    package func isOverdue(_ id: ShardID, time: Double) -> Bool {
        hasChildren(id) && ageAfterEnd(of: id, time: time).map { $0 >= goneAge } ?? false
    }

    /// Notes that a shard is gone, and says whether that was before its time.
    ///
    /// Others may be gone then as well, and not all of them are doubted as long. That one is gone after the retention says
    /// nothing.
    package mutating func noteGone(_ id: ShardID, time: Double) -> Bool {
        guard let age = ageAfterEnd(of: id, time: time), age < Self.retention else { return false }
        goneAge = max(min(goneAge, age / 2), Self.goneAgeMinimum)
        return true
    }

    /// Notes that a shard was read to its end: if others were gone that were younger, that was a mistake.
    package mutating func noteRead(_ id: ShardID, time: Double) {
        guard let age = ageAfterEnd(of: id, time: time), age > goneAge else { return }
        goneAge = Self.retention
    }

    /// Whether a shard ended so short a time ago, or nobody knows when, that not all of its children may be listed.
    package func hasEndedRecently(_ id: ShardID, time: Double) -> Bool {
        guard names.agrees, let age = ageAfterEnd(of: id, time: time) else { return true }
        return age < Self.siblingsListed
    }

    /// How long ago a shard ended, in seconds: its children are as old as that; else how old it is itself.
    private func ageAfterEnd(of id: ShardID, time: Double) -> Double? {
        children[id, default: []].compactMap { names.age(of: $0, at: time) }.max()
            ?? names.age(of: id, at: time)
    }

    /// Whether a shard is known to have ended, so that its pages come to an end.
    package func isClosed(_ id: ShardID) -> Bool {
        nodes[id]?.shard.end != nil || hasChildren(id)
    }

    /// Finished shards without a known child whose end is so new that a child may yet be listed, in the order of
    /// their names.
    package func recentEnds(time: Double) -> [ShardID] {
        nodes.values.filter { node in
            let age = node.memory.finishedAt.map { time - $0 } ?? .infinity
            return age < Self.recent && !hasChildren(node.shard.id)
        }.map(\.shard.id).sorted()
    }

    /// Whether a shard that is gone may have held records which were wanted and are not applied.
    package func mayHoldMore(_ id: ShardID) -> Bool {
        guard let node = nodes[id] else { return false }
        return switch node.memory.position {
        // Whatever was older than the horizon was never promised.
        case .trimHorizon, .end: false
        case .after(let last): last != node.shard.end
        case .start, .since: true
        }
    }

    /// Whether a shard was left before its end, or waits behind one that was.
    package func isHeldUp(_ id: ShardID) -> Bool {
        var here = nodes[id]
        while let node = here, node.phase == .waiting {
            here = node.memory.parent.flatMap { nodes[$0] }
        }
        return here?.phase == .left
    }

    // MARK: Reading

    /// Hands out the shards that may be read now, each of them once.
    package mutating func takeReady() -> [Node] {
        defer { ready.removeAll() }
        return ready.compactMap { id in
            nodes[id]?.phase = .reading
            // LATEST is for the first attempt alone: a second one would skip what came in between.
            defer { nodes[id]?.opensAtLatest = false }
            return nodes[id]
        }
    }

    /// Notes that everything up to a record is applied.
    package mutating func advance(
        _ id: ShardID, to number: SequenceNumber, recordTime: Double?
    ) {
        guard let node = nodes[id] else { preconditionFailure("\(id) is not walked") }
        precondition(node.phase == .reading, "\(id) moves without being read")
        if case .after(let last) = node.memory.position {
            precondition(last < number, "\(id) goes back from \(last) to \(number)")
        }
        nodes[id]?.memory.position = .after(number)
        nodes[id]?.memory.recordTime = recordTime ?? node.memory.recordTime
        nodes[id]?.isCaughtUp = false
    }

    /// Notes that a shard had nothing to read.
    package mutating func catchUp(_ id: ShardID) { nodes[id]?.isCaughtUp = true }

    /// Notes that a shard is drained and applied; its children may be read.
    package mutating func finish(_ id: ShardID, time: Double) {
        precondition(nodes[id]?.phase == .reading, "\(id) ends without being read")
        nodes[id]?.isCaughtUp = true
        nodes[id]?.memory.position = .end
        nodes[id]?.memory.finishedAt = time
        settle(id)
    }

    /// Notes that the walk of a shard has stopped before its end, and why if somebody has to act.
    package mutating func leave(_ id: ShardID, blocked: String? = nil) {
        nodes[id]?.phase = .left
        nodes[id]?.memory.blocked = blocked
    }

    /// Notes that a shard, which could not be read, is to be tried again.
    package mutating func retry(_ id: ShardID) {
        precondition(nodes[id]?.phase == .reading, "\(id) is tried again without being read")
        open(id)
    }

    /// What is to be remembered of the shards.
    package var memory: [ShardID: Checkpoint.Shard] { nodes.mapValues(\.memory) }

    // MARK: Lineage

    private mutating func insert(_ node: Node) {
        var node = node
        let id = node.shard.id
        if leadsBack(to: id, from: node.memory.parent) { node.memory.parent = nil }
        nodes[id] = node
        if let parent = node.memory.parent { children[parent, default: []].append(id) }
        for child in children[id, default: []] { orphans.remove(child) }
    }

    /// Finds a shard its phase, and frees its children if it is done.
    private mutating func settle(_ id: ShardID) {
        guard let node = nodes[id] else { return }
        if node.memory.position == .end {
            nodes[id]?.phase = .done
            for child in children[id, default: []] where waiting.contains(child) { open(child) }
        } else if waitsForParent(node) {
            waiting.insert(id)
            if let parent = node.memory.parent, nodes[parent] == nil { orphans.insert(id) }
        } else {
            open(id)
        }
    }

    private func waitsForParent(_ node: Node) -> Bool {
        guard let parent = node.memory.parent else { return false }
        return switch node.memory.position {
        // A parent that is not known may come later in the same listing, or in the next one.
        case .trimHorizon, .start: nodes[parent]?.memory.position != .end
        // What is left out of this shard is younger than any record of its parent's, but for the clocks.
        case .since: nodes[parent].map { $0.memory.position != .end } ?? false
        case .after, .end: false
        }
    }

    /// Takes in that one more listing did not hold the parent of a shard, and says whether that is enough.
    private mutating func isTrimmed(
        parentOf id: ShardID, time: Double, uptime: Duration
    ) -> Bool {
        guard var node = nodes[id] else { return false }
        if node.listingsWithoutParent == 0 { node.parentMissedAt = uptime }
        node.listingsWithoutParent += 1
        nodes[id] = node
        // A child is as old as the end of its parent.
        let isOld = names.age(of: id, at: time).map { $0 > Self.retention + Self.margin } ?? false
        let isConfirmed =
            node.listingsWithoutParent >= Self.listingsToConfirm
            && uptime - node.parentMissedAt >= .seconds(Self.secondsToConfirm)
        return isOld || isConfirmed
    }

    private mutating func open(_ id: ShardID) {
        waiting.remove(id)
        orphans.remove(id)
        guard nodes[id]?.phase != .ready else { return }
        nodes[id]?.phase = .ready
        ready.append(id)
    }

    private mutating func update(_ shard: Shard) {
        guard var known = nodes[shard.id] else { return }
        // Positions from the cache alone come without their lineage.
        if known.memory.parent == nil, let parent = shard.lineageParent,
            !leadsBack(to: shard.id, from: parent)
        {
            known.memory.parent = parent
            nodes[shard.id] = known
            children[parent, default: []].append(shard.id)
        }
        // A page that is behind shows an end that is known already as missing.
        nodes[shard.id]?.shard = Shard(
            id: shard.id, parent: known.memory.parent, start: shard.start ?? known.shard.start,
            end: shard.end ?? known.shard.end)
    }

    private mutating func remove(_ id: ShardID) {
        guard let node = nodes.removeValue(forKey: id), let parent = node.memory.parent else {
            return
        }
        children[parent]?.removeAll { $0 == id }
        if children[parent]?.isEmpty == true { children[parent] = nil }
    }

    /// Whether the lineage from `parent` upwards holds `id`: such shards would wait for each other for ever.
    private func leadsBack(to id: ShardID, from parent: ShardID?) -> Bool {
        var here = parent
        while let ancestor = here {
            if ancestor == id { return true }
            here = nodes[ancestor]?.memory.parent
        }
        return false
    }

    /// Where a shard is read from that was found after the beginning.
    private func firstPosition(of shard: Shard, time: Double) -> Position {
        // One that was missing from the first listing, and was there: nothing older than the beginning is wanted.
        if let before = beginning.leftOutBefore, let newest = beginning.newestShardTime,
            let created = shard.id.creationTime, created <= newest
        {
            return .since(before)
        }
        // We should have come to it in time: if its start is trimmed, something is lost.
        let isOurs = shard.lineageParent.map { nodes[$0] != nil } ?? false
        let isYoung = names.age(of: shard.id, at: time).map { $0 < Self.retention - Self.margin }
        guard let start = shard.start, isOurs || isYoung ?? true else { return .trimHorizon }
        return .start(start)
    }

    /// Whether the parent of `child` held changes that the beginning asks for: a child is as old as its parent's end.
    private func isWanted(beforeChild child: ShardID) -> Bool {
        let first =
            beginning.leftOutBefore == nil
            ? beginning.nameTime - Self.retention : beginning.newestShardTime
        guard let first, let created = child.creationTime else { return true }
        return first < created
    }
}

extension Shard {
    /// The parent, unless a shard names itself as its own.
    fileprivate var lineageParent: ShardID? { parent == id ? nil : parent }
}
