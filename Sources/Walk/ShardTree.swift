package import Records

/// The shards of one stream with their lineage and positions: which may be read, and which are done.
///
/// A shard may be read when its parent is done, or when there is no parent to wait for: it never had one, or the stream
/// has trimmed it. DescribeStream is eventually consistent, so a parent that is not listed counts as trimmed only if it is
/// old enough, or was missing from several whole listings.
package struct ShardTree: Sendable {
    /// One shard as the walk knows it.
    package struct Node: Sendable {
        /// The shard as it was last listed.
        package fileprivate(set) var shard: Shard
        /// What is remembered of it over a restart.
        package fileprivate(set) var memory: Checkpoint.Shard
        /// Whether a walk of it is under way.
        package fileprivate(set) var isReading = false
        /// Whether the first iterator is to be opened at LATEST.
        package fileprivate(set) var opensAtLatest = false
        /// Whether nothing was left to read when it was last asked for a page.
        package fileprivate(set) var isCaughtUp = false
        fileprivate var isListed: Bool
        fileprivate var listingsWithoutParent = 0
    }

    /// What a shard brings when it is first seen.
    package enum Discovery: Equatable, Sendable {
        /// It will be read.
        case found
        /// It was listed only after one of its children had begun, and can't be put before it any more.
        case tooLate
    }

    /// How long finished shards are remembered, in seconds.
    ///
    /// The service lists shards for more than 24 hours; 26 hours were too short for others (artie-labs/reader#399).
    private static let finishedKept = 48.0 * 3_600
    /// The age, in seconds, from which a parent that is not listed is taken for trimmed: retention and an hour.
    private static let trimmedAge = 25.0 * 3_600
    /// How many whole listings must miss a younger parent before its child goes on without it.
    private static let listingsToConfirm = 3

    /// All shards that are known.
    package private(set) var nodes: [ShardID: Node] = [:]
    private var children: [ShardID: [ShardID]] = [:]
    private var waiting: Set<ShardID> = []
    private var ready: [ShardID] = []

    /// A stream of which nothing is known yet.
    package init() {}

    /// A stream as the checkpoint remembers it.
    package init(_ memory: Checkpoint.Stream) {
        // In the order of their names, so that a simulation repeats itself.
        for (id, shard) in memory.shards.sorted(by: { $0.key < $1.key }) {
            var shard = shard
            // A restart is how a blocked shard is tried again.
            shard.blocked = nil
            insert(Node(shard: Shard(id: id, parent: shard.parent), memory: shard, isListed: false))
        }
        for id in waiting.sorted() {
            guard let parent = nodes[id]?.memory.parent, nodes[parent]?.memory.position == .end
            else { continue }
            waiting.remove(id)
            ready.append(id)
        }
    }

    // MARK: Learning

    /// Takes in the first whole listing of a stream that nothing is remembered of.
    ///
    /// - Parameters:
    ///   - listing: every shard of the stream.
    ///   - start: where the stream is to be read from.
    ///   - time: now, in seconds since 1970.
    package mutating func begin(_ listing: [Shard], at start: StartPosition, time: Double) {
        precondition(nodes.isEmpty, "a stream begins once")
        let listed = Set(listing.map(\.id))
        let parents = Set(listing.compactMap(\.parent))
        for shard in listing where nodes[shard.id] == nil {
            var memory = Checkpoint.Shard(position: .trimHorizon, parent: shard.lineageParent)
            var opensAtLatest = false
            switch start {
            case .trimHorizon:
                // A start whose parent is still kept is still kept itself, and has to stay so until we come to it.
                if let parent = memory.parent, listed.contains(parent), let start = shard.start {
                    memory.position = .start(start)
                }
            case .latest:
                // A shard with a listed child is closed, even if its own page was too early to say so.
                if shard.end != nil || parents.contains(shard.id) {
                    memory.position = .end
                    memory.finishedAt = time
                } else {
                    memory.position = .since(time - StartPosition.clockTolerance)
                    opensAtLatest = true
                }
            }
            insert(
                Node(shard: shard, memory: memory, opensAtLatest: opensAtLatest, isListed: true))
        }
    }

    /// Takes in shards of a later listing, and says what became of those that are new.
    package mutating func learn(
        _ shards: [Shard], time: Double
    ) -> [(shard: Shard, discovery: Discovery)] {
        var news: [(shard: Shard, discovery: Discovery)] = []
        for shard in shards {
            if nodes[shard.id] != nil {
                update(shard)
                continue
            }
            let isTooLate = children[shard.id, default: []].contains { child in
                nodes[child].map { $0.isReading || $0.memory.position.hasBegun } ?? false
            }
            var memory = Checkpoint.Shard(position: .trimHorizon, parent: shard.lineageParent)
            if isTooLate {
                memory.position = .end
                memory.finishedAt = time
            } else if let parent = memory.parent, nodes[parent] != nil, let start = shard.start {
                memory.position = .start(start)
            }
            insert(Node(shard: shard, memory: memory, isListed: true))
            news.append((shard, isTooLate ? .tooLate : .found))
        }
        return news
    }

    /// Draws the conclusions from a whole listing: shards that it did not hold, and parents that are gone.
    package mutating func completeListing(_ listed: Set<ShardID>, time: Double) {
        for (id, node) in nodes {
            nodes[id]?.isListed = listed.contains(id)
            if let finishedAt = node.memory.finishedAt, !listed.contains(id), !node.isReading,
                time - finishedAt > Self.finishedKept
            {
                remove(id)
            }
        }
        for id in waiting {
            guard let parent = nodes[id]?.memory.parent, nodes[parent] == nil else { continue }
            nodes[id]?.listingsWithoutParent += 1
        }
        admitOrphans(time: time)
    }

    /// Whether a shard waits for a parent that no listing has shown yet, so that another listing is wanted soon.
    package var hasOrphans: Bool {
        waiting.contains { id in
            nodes[id]?.memory.parent.map { nodes[$0] == nil } ?? false
        }
    }

    /// Whether a shard that continues `id` is known.
    package func hasChildren(_ id: ShardID) -> Bool { children[id] != nil }

    // MARK: Reading

    /// Hands out the shards that may be read now, each of them once.
    package mutating func takeReady() -> [Node] {
        defer { ready.removeAll() }
        return ready.compactMap { id in
            nodes[id]?.isReading = true
            return nodes[id]
        }
    }

    /// Notes that everything up to a record is applied.
    package mutating func advance(
        _ id: ShardID, to number: SequenceNumber, recordTime: Double?
    ) {
        guard let node = nodes[id] else { preconditionFailure("\(id) is not walked") }
        precondition(node.isReading, "\(id) moves without being read")
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
        precondition(nodes[id]?.isReading == true, "\(id) ends without being read")
        nodes[id]?.isReading = false
        nodes[id]?.isCaughtUp = true
        nodes[id]?.memory.position = .end
        nodes[id]?.memory.finishedAt = time
        for child in children[id] ?? [] where waiting.remove(child) != nil { ready.append(child) }
    }

    /// Notes that the walk of a shard has stopped before its end, and why if somebody has to act.
    package mutating func leave(_ id: ShardID, blocked: String? = nil) {
        nodes[id]?.isReading = false
        nodes[id]?.memory.blocked = blocked
    }

    /// What is to be remembered of the shards.
    package var memory: [ShardID: Checkpoint.Shard] { nodes.mapValues(\.memory) }

    // MARK: Lineage

    private mutating func insert(_ node: Node) {
        let id = node.shard.id
        nodes[id] = node
        if let parent = node.memory.parent { children[parent, default: []].append(id) }
        guard node.memory.position != .end else { return }
        // The parent may come later in the same listing, so orphans wait until the listing is whole.
        if node.memory.position.hasBegun || node.memory.parent == nil {
            ready.append(id)
        } else {
            if let parent = node.memory.parent, nodes[parent]?.memory.position == .end {
                ready.append(id)
            } else {
                waiting.insert(id)
            }
        }
    }

    private mutating func update(_ shard: Shard) {
        guard var known = nodes[shard.id] else { return }
        // A page that is behind shows an end that is known already as missing.
        known.shard = Shard(
            id: shard.id, parent: known.memory.parent, start: shard.start ?? known.shard.start,
            end: shard.end ?? known.shard.end)
        known.isListed = true
        nodes[shard.id] = known
    }

    private mutating func remove(_ id: ShardID) {
        guard let node = nodes.removeValue(forKey: id) else { return }
        if let parent = node.memory.parent {
            children[parent]?.removeAll { $0 == id }
            if children[parent]?.isEmpty == true { children[parent] = nil }
        }
    }

    private mutating func admitOrphans(time: Double) {
        for id in waiting.sorted() {
            guard let node = nodes[id], let parent = node.memory.parent, nodes[parent] == nil
            else { continue }
            let isOld = parent.creationTime.map { time - $0 > Self.trimmedAge } ?? false
            if isOld || node.listingsWithoutParent >= Self.listingsToConfirm {
                waiting.remove(id)
                ready.append(id)
            }
        }
    }
}

extension Shard {
    /// The parent, unless a shard names itself as its own.
    fileprivate var lineageParent: ShardID? { parent == id ? nil : parent }
}

/// Where a stream is read from when nothing is remembered of it.
package enum StartPosition: String, Sendable, CaseIterable {
    /// At the oldest record that the stream keeps.
    case trimHorizon = "TRIM_HORIZON"
    /// After the newest record of that moment; shards found later are read from their beginning.
    case latest = "LATEST"

    /// How far our clock may be from the service's, in seconds, when a moment is remembered: DynamoDB takes
    /// signatures that are 5 minutes off, so a clock that works at all is nearer than that.
    package static let clockTolerance = 300.0
}
