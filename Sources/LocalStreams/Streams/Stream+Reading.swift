/// A type of shard iterator, as a request names it.
enum IteratorType: String, CaseIterable, Sendable {
    /// The oldest record that is still there.
    case trimHorizon = "TRIM_HORIZON"
    /// After the newest record that can be read at this moment.
    case latest = "LATEST"
    /// The record with a number.
    case atSequenceNumber = "AT_SEQUENCE_NUMBER"
    /// After the record with a number.
    case afterSequenceNumber = "AFTER_SEQUENCE_NUMBER"

    /// Whether the request has to give a number.
    var needsNumber: Bool { self == .atSequenceNumber || self == .afterSequenceNumber }
}

extension Stream {
    /// The most records of a page.
    static let recordsMax = 1_000
    /// The most bytes of a page's records, as their own sizes count them.
    static let bytesMax = 1_048_576

    /// Where an iterator begins; the types that need a number count from it.
    ///
    /// - Throws: `ResourceNotFoundException`, and `TrimmedDataAccessException` for a number that is older
    ///   than what the shard still has.
    func position(
        _ type: IteratorType, _ number: SequenceNumber?, in id: String, at moment: Moment
    ) throws(ServiceError) -> ShardPosition {
        guard let shard = shard(id) else { throw .notFound("Shard does not exist") }
        guard !shard.isExpired else {
            throw type.needsNumber ? Self.refusal(of: id) : .notFound("Shard does not exist")
        }
        let index: Int
        switch (type, number) {
        case (.trimHorizon, _): index = shard.trimmedCount
        case (.latest, _): index = shard.readableEnd(at: moment)
        case (_, let number?):
            let isAfter = type == .afterSequenceNumber
            if let trimmed = shard.lastTrimmed, isAfter ? number < trimmed : number <= trimmed {
                throw .trimmed
            }
            index = shard.index(of: number, after: isAfter)
        case (_, nil): preconditionFailure("the request was checked before")
        }
        return ShardPosition(
            stream: arn, shard: id, index: index,
            emptyPages: type == .latest ? 0 : shard.emptyPages(before: index),
            issued: moment)
    }

    /// The records at a place, and where to go on: nil at the end of a closed shard.
    ///
    /// The last page of a closed shard may hold records and have no next one; in other shards empty pages come
    /// between the last record and the end. Both are seen on AWS.
    /// - Throws: `ResourceNotFoundException`, and `TrimmedDataAccessException` where the place was trimmed.
    func page(
        at position: ShardPosition, limit: Int, at moment: Moment
    ) throws(ServiceError) -> (records: ArraySlice<StreamRecord>, next: ShardPosition?) {
        // The iterator was given out here: the shard was there.
        guard let shard = shard(position.shard), !shard.isExpired else {
            throw Self.refusal(of: position.shard)
        }
        guard position.index >= shard.trimmedCount else { throw .trimmed }
        let first = position.index - shard.trimmedCount
        if position.emptyPages > 0 {
            return ([], next(position, position.index, position.emptyPages - 1, moment))
        }
        var last = first
        var bytes = 0
        while last < shard.records.count, last - first < limit {
            let record = shard.records[last]
            bytes += record.size
            // Where a stretch begins or the bytes run out, a page ends that is not empty.
            let isFull = bytes > Self.bytesMax || record.emptyPages > 0
            if record.readable > moment || (isFull && last > first) { break }
            last += 1
        }
        let records = shard.records[first..<last]
        let index = shard.trimmedCount + last
        let isAtEnd = shard.closed != nil && index == shard.endIndex
        guard isAtEnd else {
            let stretch = records.isEmpty ? 0 : shard.emptyPages(before: index)
            return (records, next(position, index, stretch, moment))
        }
        let padding = records.isEmpty ? 0 : shard.trailingEmptyPages
        return (records, padding == 0 ? nil : next(position, index, padding - 1, moment))
    }

    /// What readers of a shard that is too old are told: each shard has its own of the two answers that are
    /// seen on AWS.
    private static func refusal(of id: String) -> ServiceError {
        id.utf8.last.map { $0.isMultiple(of: 2) } ?? false
            ? .trimmed : .notFound("Shard does not exist")
    }

    private func next(
        _ position: ShardPosition, _ index: Int, _ emptyPages: Int, _ moment: Moment
    ) -> ShardPosition {
        ShardPosition(
            stream: arn, shard: position.shard, index: index, emptyPages: emptyPages, issued: moment
        )
    }
}
