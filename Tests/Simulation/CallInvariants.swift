import Records
import Walk

/// What has to hold for the calls that one process makes, beside what it makes of the answers (``Invariants``).
///
/// 1. DescribeStream is called no more often than the budget says.
/// 2. After a failure there is a pause, a longer one when calls came too often or somebody has to act.
/// 3. A shard has one reader, which is at most one page ahead of what is applied.
/// 4. An iterator is asked for once, and again only after a failure; one at LATEST is never asked for twice, nor for a
///    shard that was found later.
/// 5. A shard that has nothing new is not asked for it without a pause; one that has ended is not read again.
/// 6. The bytes of every page that is not applied are accounted for.
struct CallInvariants: Sendable {
    /// A page that a shard's reader has got.
    private struct Page {
        let key: String
        let version: Int
        let bytes: Int
    }

    private struct Reader {
        var isReading = false
        var hasIterator = false
        var hasEnded = false
        var notBefore = Duration.zero
    }

    /// A listing of all shards, page by page.
    private struct Listing {
        var begunAt = Duration.zero
        var lastCallAt = Duration.zero
        /// Those whose pages have arrived.
        var cursors: Set<ShardID> = []

        /// When the next one may begin: three quarters of the budget stay free for others.
        var nextNotBefore: Duration {
            lastCallAt + min((lastCallAt - begunAt) * 3, .seconds(cursors.count))
        }
    }

    private let idle: IdlePause
    private var readers: [ShardID: Reader] = [:]
    /// The pages of shards that were not applied when that was looked at last.
    private var pages: [ShardID: [Page]] = [:]
    private var describeNotBefore = Duration.zero
    /// When the budget has room for another call.
    private var describeSlot = Duration.zero
    /// The listing that is under way, or was the last one.
    private var listing = Listing()

    /// What has to hold with such pauses between polls that bring nothing.
    init(_ idle: IdlePause) { self.idle = idle }

    /// Begins anew with all that a walk does which begins again; what calls may cost stays as it is.
    mutating func beginAnew() {
        readers = [:]
        pages = [:]
        describeNotBefore = min(describeNotBefore, describeSlot)
        listing = Listing()
    }

    // MARK: DescribeStream

    /// What is wrong with a DescribeStream call that begins now.
    mutating func describes(_ selection: ShardSelection, at now: Duration) -> String? {
        defer {
            describeSlot = now + Simulator.describeInterval
            describeNotBefore = max(describeNotBefore, describeSlot)
        }
        if now < describeNotBefore { return "DescribeStream is called too often" }
        guard case .all(let cursor) = selection else { return nil }
        defer { listing.lastCallAt = now }
        guard let cursor else {
            let isHasty = now < listing.nextNotBefore
            listing = Listing(begunAt: now)
            return isHasty ? "the shards are listed too often" : nil
        }
        return listing.cursors.contains(cursor) ? "a listing goes in circles" : nil
    }

    /// Notes that the answer to a DescribeStream call has arrived.
    mutating func described(_ selection: ShardSelection) {
        if case .all(let cursor?) = selection { listing.cursors.insert(cursor) }
    }

    /// Notes that a DescribeStream call has failed.
    mutating func describeFailed(_ kind: SourceError.Kind, at now: Duration) {
        let pause = kind == .denied ? Duration.seconds(30) : .milliseconds(10)
        describeNotBefore = max(describeNotBefore, now + pause)
    }

    // MARK: GetShardIterator

    /// What is wrong with asking for an iterator now.
    mutating func opens(_ shard: ShardID, at now: Duration) -> String? {
        let reader = readers[shard, default: Reader()]
        if reader.hasEnded { return "\(shard) is opened after its end" }
        if reader.hasIterator { return "\(shard) is opened again without need" }
        return now < reader.notBefore ? "\(shard) is opened without a pause" : nil
    }

    /// Notes that an iterator has arrived.
    mutating func opened(_ shard: ShardID) { readers[shard, default: Reader()].hasIterator = true }

    // MARK: GetRecords

    /// What is wrong with asking for a page now.
    mutating func reads(
        _ shard: ShardID, at now: Duration, acknowledged: [String: Int]
    ) -> String? {
        var reader = readers[shard, default: Reader()]
        defer { readers[shard] = reader }
        if reader.isReading { return "\(shard) has two readers" }
        reader.isReading = true
        if reader.hasEnded { return "\(shard) is read after its end" }
        if now < reader.notBefore { return "\(shard) is read without a pause" }
        guard var held = pages.removeValue(forKey: shard) else { return nil }
        held.removeAll { $0.version <= acknowledged[$0.key] ?? 0 }
        if !held.isEmpty { pages[shard] = held }
        return held.count > 1 ? "\(shard) is read more than one page ahead" : nil
    }

    /// Notes that the answer of a GetRecords call has arrived, or its failure.
    mutating func read(_ shard: ShardID) { readers[shard]?.isReading = false }

    /// Notes the page that has arrived, with its last record; what is not `wanted` is never applied.
    mutating func got(
        _ shard: ShardID, _ last: StreamModel.Entry?, wanted: Bool, bytes: Int, isLast: Bool,
        at now: Duration
    ) {
        var reader = readers[shard, default: Reader()]
        reader.hasEnded = isLast
        if let last {
            if wanted {
                pages[shard, default: []].append(
                    Page(key: last.key, version: last.version, bytes: bytes))
            }
        } else {
            reader.notBefore = now + idle.minimum
        }
        readers[shard] = reader
    }

    /// Notes that a call for a shard has failed.
    mutating func failed(_ shard: ShardID, _ kind: SourceError.Kind, at now: Duration) {
        var reader = readers[shard, default: Reader()]
        reader.hasIterator = false
        reader.notBefore = now + Self.pause(after: kind)
        readers[shard] = reader
    }

    /// The bytes of the pages that are not applied; those that are, are forgotten.
    mutating func unapplied(acknowledged: [String: Int]) -> Int {
        var bytes = 0
        for (shard, held) in pages {
            let left = held.filter { acknowledged[$0.key] ?? 0 < $0.version }
            if left.count < held.count { pages[shard] = left.isEmpty ? nil : left }
            bytes += left.reduce(0) { $0 + $1.bytes }
        }
        return bytes
    }

    /// The least pause after a failure.
    private static func pause(after kind: SourceError.Kind) -> Duration {
        switch kind {
        case .denied: .seconds(30)
        case .throttled: .milliseconds(500)
        default: .milliseconds(10)
        }
    }
}
