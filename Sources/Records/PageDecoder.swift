/// Finds the records in an answer of GetRecords.
///
/// Members may come in any order, with any white space and with escapes in their names; the last of
/// several with one name counts, and names that are not known are passed over. Apart from the list of
/// records nothing is built: a record is offsets into the answer.
/// Source: DynamoDB Streams API, `GetRecords` and `Record`.
package enum PageDecoder {
    /// Decodes the body of an answer.
    ///
    /// A shard ends where `NextShardIterator` is absent or null. `Records` has to be there, empty or not, as
    /// it always is in the service's answers: otherwise `{}`, from whomever, would end a shard that has not
    /// ended, and the rest of its records would be lost.
    ///
    /// - Throws: `MalformedJSON` where the body is no answer of GetRecords.
    package static func decode(_ body: [UInt8]) throws(MalformedJSON) -> Page {
        var records: [Record]?
        var next: ShardIterator?
        try body.withUnsafeBufferPointer { body throws(MalformedJSON) in
            let bytes = UnsafeRawBufferPointer(body)
            var cursor = JSONCursor(bytes)
            var form = CanonicalForm()
            try cursor.forEachMember { cursor, name throws(MalformedJSON) in
                if name.isText("Records", in: bytes) {
                    var list: [Record] = []
                    try cursor.forEachElement { cursor throws(MalformedJSON) in
                        list.append(try record(&cursor, &form))
                    }
                    records = list
                } else if name.isText("NextShardIterator", in: bytes) {
                    next = try iterator(&cursor)
                } else {
                    _ = try cursor.value()
                }
            }
            try cursor.finish()
            guard records != nil else { throw cursor.failure("the answer has no Records") }
        }
        return Page(bytes: body, records: records ?? [], next: next)
    }

    private static func iterator(
        _ cursor: inout JSONCursor
    ) throws(MalformedJSON) -> ShardIterator? {
        if try cursor.takesNull() { return nil }
        let start = cursor.offset
        var text: [UInt8] = []
        try cursor.string().appendText(from: cursor.bytes, to: &text)
        guard !text.isEmpty else {
            throw MalformedJSON("NextShardIterator is empty", at: start)
        }
        return ShardIterator(String(decoding: text, as: UTF8.self))
    }

    private static func record(
        _ cursor: inout JSONCursor, _ form: inout CanonicalForm
    ) throws(MalformedJSON) -> Record {
        let bytes = cursor.bytes
        _ = try cursor.peek()
        let start = cursor.offset
        var operation: Record.Operation?
        var change: Change?
        try cursor.forEachMember { cursor, name throws(MalformedJSON) in
            if name.isText("eventName", in: bytes) {
                operation = try self.operation(&cursor)
            } else if name.isText("dynamodb", in: bytes) {
                change = try self.change(&cursor, &form)
            } else {
                _ = try cursor.value()
            }
        }
        guard let operation else { throw MalformedJSON("a record has no eventName", at: start) }
        guard let change else { throw MalformedJSON("a record has no dynamodb", at: start) }
        guard let keys = change.keys else { throw MalformedJSON("a record has no Keys", at: start) }
        guard let sequenceNumber = change.sequenceNumber else {
            throw MalformedJSON("a record has no SequenceNumber", at: start)
        }
        return Record(
            operation: operation, sequenceNumber: sequenceNumber, keys: keys,
            newImage: change.newImage, isNewImageCanonical: change.isNewImageCanonical,
            creationTime: change.creationTime)
    }

    private static func operation(
        _ cursor: inout JSONCursor
    ) throws(MalformedJSON) -> Record.Operation {
        let name = try cursor.string()
        if name.isText("INSERT", in: cursor.bytes) { return .insert }
        if name.isText("MODIFY", in: cursor.bytes) { return .modify }
        if name.isText("REMOVE", in: cursor.bytes) { return .remove }
        throw MalformedJSON("eventName is not INSERT, MODIFY or REMOVE", at: name.range.start)
    }

    /// What a record's member `dynamodb` says.
    private struct Change {
        var keys: ByteRange?
        var sequenceNumber: ByteRange?
        var newImage: ByteRange?
        var isNewImageCanonical = false
        var creationTime: Double?
    }

    private static func change(
        _ cursor: inout JSONCursor, _ form: inout CanonicalForm
    ) throws(MalformedJSON) -> Change {
        let bytes = cursor.bytes
        var change = Change()
        try cursor.forEachMember { cursor, name throws(MalformedJSON) in
            if name.isText("Keys", in: bytes) {
                try cursor.expectObject("Keys is not an object")
                change.keys = try cursor.value()
            } else if name.isText("NewImage", in: bytes) {
                change.newImage = nil
                if try cursor.takesNull() { return }
                try cursor.expectObject("NewImage is not an object")
                form.reset()
                change.newImage = try cursor.value(noting: &form)
                change.isNewImageCanonical = form.isWatching
            } else if name.isText("SequenceNumber", in: bytes) {
                change.sequenceNumber = try sequenceNumber(&cursor)
            } else if name.isText("ApproximateCreationDateTime", in: bytes) {
                change.creationTime = try cursor.takesNull() ? nil : time(&cursor)
            } else {
                _ = try cursor.value()
            }
        }
        return change
    }

    private static func sequenceNumber(
        _ cursor: inout JSONCursor
    ) throws(MalformedJSON) -> ByteRange {
        let digits = try cursor.string().range
        let areDigits = cursor.bytes[digits.indices].allSatisfy { $0 &- UInt8(ascii: "0") < 10 }
        guard (1...40).contains(digits.count), areDigits else {
            throw MalformedJSON("SequenceNumber is not 1 to 40 digits", at: digits.start)
        }
        return digits
    }

    /// Reads seconds since 1970, which the service also writes as 1.46480643E9.
    private static func time(_ cursor: inout JSONCursor) throws(MalformedJSON) -> Double {
        let range = try cursor.value()
        let text = cursor.bytes[range.indices]
        guard let first = text.first, first < UInt8(ascii: ":"), first != UInt8(ascii: "\""),
            let time = Double(String(decoding: text, as: UTF8.self)), time.isFinite
        else {
            throw MalformedJSON("ApproximateCreationDateTime is not a time", at: range.start)
        }
        return time
    }
}

extension JSONCursor {
    /// Moves over `null`, if that is what comes, and says so.
    fileprivate mutating func takesNull() throws(MalformedJSON) -> Bool {
        guard try peek() == UInt8(ascii: "n") else { return false }
        _ = try value()
        return true
    }

    fileprivate mutating func expectObject(_ problem: StaticString) throws(MalformedJSON) {
        guard try peek() == UInt8(ascii: "{") else { throw failure(problem) }
    }
}
