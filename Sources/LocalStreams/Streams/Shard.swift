/// A run of records of one part of the keys, in the order in which they were made.
struct Shard: Sendable {
    /// The shard's name.
    let id: String
    /// The shard that this one continues; nil for the first ones.
    ///
    /// It may have been trimmed since.
    let parent: String?
    /// When the shard was opened.
    let created: Moment
    /// When DescribeStream begins to list the shard.
    let listed: Moment
    /// How long DescribeStream goes on to list the shard once it can't be read any more, in milliseconds.
    let lateListing: Int
    /// The hashes of the partition keys whose changes go here.
    let hashes: ClosedRange<UInt64>
    /// Where the records begin; not the number of a record.
    let start: SequenceNumber
    /// Where the records end, once the shard is closed: the last record's number, or one after it.
    private(set) var end: SequenceNumber?
    /// When the shard was closed.
    private(set) var closed: Moment?
    /// When DescribeStream begins to list the shard as closed.
    private(set) var closeListed: Moment?
    /// Whether the shard is too old to be read; it may still be listed.
    private(set) var isExpired = false
    /// The shards that continue this one.
    var children: [String] = []
    /// The records that are still kept.
    private(set) var records: [StreamRecord] = []
    /// The bytes of all records, trimmed ones counted.
    private(set) var bytes = 0
    /// How many records have been trimmed: the index of the first one that is kept.
    private(set) var trimmedCount = 0
    /// The number of the newest record that was trimmed.
    private(set) var lastTrimmed: SequenceNumber?
    /// The newest number that was given out here.
    private(set) var newest: SequenceNumber
    /// The empty pages that a reader from the beginning gets before the first record.
    let leadingEmptyPages: Int
    /// The empty pages that a reader gets between the last record and the end.
    let trailingEmptyPages: Int

    /// An open shard without records.
    init(
        id: String, parent: String?, created: Moment, listed: Moment,
        lateListing: Int, hashes: ClosedRange<UInt64>, start: SequenceNumber,
        leadingEmptyPages: Int,
        trailingEmptyPages: Int
    ) {
        self.id = id
        self.parent = parent
        self.created = created
        self.listed = listed
        self.lateListing = lateListing
        self.hashes = hashes
        self.start = start
        self.leadingEmptyPages = leadingEmptyPages
        self.trailingEmptyPages = trailingEmptyPages
        newest = start
    }

    /// The index after the newest record, trimmed ones counted.
    var endIndex: Int { trimmedCount + records.count }

    /// The index after the newest record that can be read at a moment.
    func readableEnd(at moment: Moment) -> Int {
        let last = records.lastIndex { $0.readable <= moment }
        return trimmedCount + (last.map { $0 + 1 } ?? 0)
    }

    /// Appends a record, whose number is larger than all before it.
    mutating func append(_ record: StreamRecord) {
        precondition(closed == nil, "a closed shard takes no records")
        precondition(record.sequenceNumber > newest, "sequence numbers grow")
        precondition(
            records.last.map { record.readable >= $0.readable } ?? true, "records are read in order"
        )
        newest = record.sequenceNumber
        bytes += record.size
        records.append(record)
    }

    /// Closes the shard on a number that is not less than that of any record.
    ///
    /// For `listingDelay` milliseconds DescribeStream still lists it as open.
    mutating func close(at moment: Moment, end: SequenceNumber, listingDelay: Int) {
        precondition(closed == nil && end >= newest, "a shard ends once, after its records")
        closed = moment
        closeListed = moment + listingDelay
        self.end = end
    }

    /// Drops the records that were made before `moment`.
    mutating func trim(before moment: Moment) {
        let kept = records.firstIndex { $0.created >= moment } ?? records.count
        guard kept > 0 else { return }
        lastTrimmed = records[kept - 1].sequenceNumber
        trimmedCount += kept
        records.removeFirst(kept)
    }

    /// How many empty pages a reader gets who comes to an index.
    func emptyPages(before index: Int) -> Int {
        if index == trimmedCount { return leadingEmptyPages }
        return index < endIndex ? records[index - trimmedCount].emptyPages : 0
    }

    /// Drops everything: the shard can't be read any more.
    mutating func expire() {
        precondition(closed != nil, "an open shard takes records")
        isExpired = true
        records = []
    }

    /// The index of the first record from `number` on, or after it.
    func index(of number: SequenceNumber, after: Bool) -> Int {
        var (lower, upper) = (0, records.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            let record = records[middle].sequenceNumber
            if record < number || (after && record == number) {
                lower = middle + 1
            } else {
                upper = middle
            }
        }
        return trimmedCount + lower
    }

    /// The shard as DescribeStream lists it at a moment.
    func json(at moment: Moment) -> JSON {
        let isListedClosed = closeListed.map { $0 <= moment } ?? false
        return .members([
            "ShardId": .text(id),
            "ParentShardId": parent.map { .text($0) },
            "SequenceNumberRange": .members([
                "StartingSequenceNumber": .text(start.digits),
                "EndingSequenceNumber": isListedClosed ? end.map { .text($0.digits) } : nil,
            ]),
        ])
    }
}
