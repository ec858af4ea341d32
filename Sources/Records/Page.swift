/// A run of bytes inside a buffer that is kept elsewhere.
package struct ByteRange: Hashable, Sendable {
    /// The offset of the first byte.
    package var start: Int
    /// The offset after the last byte.
    package var end: Int

    /// The bytes from `start` up to, not including, `end`.
    package init(_ start: Int, _ end: Int) {
        precondition(0 <= start && start <= end)
        self.start = start
        self.end = end
    }

    /// The number of bytes.
    package var count: Int { end - start }
    /// The same run as the standard library writes it.
    package var indices: Range<Int> { start..<end }
}

/// One change of one item, as offsets into the page that it came in.
package struct Record: Equatable, Sendable {
    /// What was done to the item.
    package enum Operation: Sendable {
        /// The item is new.
        case insert
        /// The item was there and has changed.
        case modify
        /// The item is gone.
        case remove
    }

    /// What was done to the item.
    package var operation: Operation
    /// The digits of the sequence number.
    package var sequenceNumber: ByteRange
    /// The JSON object with the key attributes, braces included.
    package var keys: ByteRange
    /// The JSON object with the item after the change, braces included; nil where the record has none.
    package var newImage: ByteRange?
    /// Whether the new image is known to be written as `JSON.stringify` writes it, so that it can go to
    /// the cache as it is.
    package var isNewImageCanonical: Bool
    /// When the change was made, in seconds since 1970, rounded down to the second by the service; nil
    /// where the record does not say.
    package var creationTime: Double?

    /// A record whose parts lie at the given offsets of its page.
    package init(
        operation: Operation, sequenceNumber: ByteRange, keys: ByteRange,
        newImage: ByteRange? = nil, isNewImageCanonical: Bool = false,
        creationTime: Double? = nil
    ) {
        self.operation = operation
        self.sequenceNumber = sequenceNumber
        self.keys = keys
        self.newImage = newImage
        self.isNewImageCanonical = isNewImageCanonical
        self.creationTime = creationTime
    }
}

/// Where the next page of a shard is to be read: an opaque text that lives for 15 minutes.
package struct ShardIterator: Hashable, Sendable {
    /// The text as the service gave it, 1 to 2,048 characters.
    package let text: String

    /// The iterator that the service wrote as `text`.
    package init(_ text: String) { self.text = text }
}

/// One answer of GetRecords: its bytes, and where the records are in them.
package struct Page: Sendable {
    /// The body of the answer, as it came.
    package let bytes: [UInt8]
    /// The records in the order of the shard.
    package private(set) var records: [Record]
    /// Where to go on; nil when the shard has ended.
    ///
    /// The last page may carry records as well.
    package let next: ShardIterator?

    /// A page whose records are offsets into `bytes`.
    package init(bytes: [UInt8], records: [Record], next: ShardIterator?) {
        self.bytes = bytes
        self.records = records
        self.next = next
    }

    /// The sequence number of a record of this page, or nil if its digits are not a number.
    package func sequenceNumber(of record: Record) -> SequenceNumber? {
        SequenceNumber(String(decoding: bytes[record.sequenceNumber.indices], as: UTF8.self))
    }

    /// The page without the records that were made before `time` (seconds since 1970).
    ///
    /// Creation times are whole seconds, rounded down, so records of the second that holds `time` stay.
    /// So do records without a creation time.
    package func droppingRecords(before time: Double) -> Page {
        var page = self
        page.records.removeAll { record in
            record.creationTime.map { $0 < time.rounded(.down) } ?? false
        }
        return page
    }

    /// The page without the records up to the number `last`, which other servers than AWS's bring again.
    package func droppingRecords(upTo last: SequenceNumber) -> Page {
        // A page is in order, so that most pages need a look at their ends alone.
        let isRepeated = [records.first, records.last].contains { record in
            record.flatMap(sequenceNumber).map { $0 <= last } ?? false
        }
        guard isRepeated else { return self }
        var page = self
        page.records.removeAll { record in
            sequenceNumber(of: record).map { $0 <= last } ?? false
        }
        return page
    }
}
