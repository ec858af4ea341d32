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
        var answer = Answer()
        try body.withUnsafeBufferPointer { bytes throws(MalformedJSON) in
            var cursor = JSONCursor(bytes)
            do throws(MalformedJSON.Problem) {
                answer = try self.answer(&cursor)
            } catch {
                throw MalformedJSON(error, at: cursor.offset)
            }
        }
        return Page(bytes: body, records: answer.records ?? [], next: answer.next)
    }

    private struct Answer {
        var records: [Record]?
        var next: ShardIterator?
    }

    private static func answer(
        _ cursor: inout JSONCursor
    ) throws(MalformedJSON.Problem) -> Answer {
        var answer = Answer()
        // Kept over all records, so that its memory is laid out once.
        var form = CanonicalForm()
        try cursor.forEachMember { cursor, name throws(MalformedJSON.Problem) in
            if cursor.isText(name, "Records") {
                var records: [Record] = []
                try cursor.forEachElement { cursor throws(MalformedJSON.Problem) in
                    records.append(try record(&cursor, &form))
                }
                answer.records = records
            } else if cursor.isText(name, "NextShardIterator") {
                answer.next = try iterator(&cursor)
            } else {
                _ = try cursor.value()
            }
        }
        try cursor.finish()
        if answer.records == nil { throw .noRecords }
        return answer
    }

    private static func iterator(
        _ cursor: inout JSONCursor
    ) throws(MalformedJSON.Problem) -> ShardIterator? {
        if try cursor.takesNull() { return nil }
        var text: [UInt8] = []
        try cursor.append(textOf: try cursor.string(), to: &text)
        if text.isEmpty { throw .emptyIterator }
        return ShardIterator(String(decoding: text, as: UTF8.self))
    }

    private static func record(
        _ cursor: inout JSONCursor, _ form: inout CanonicalForm
    ) throws(MalformedJSON.Problem) -> Record {
        var operation: Record.Operation?
        var change: Change?
        try cursor.forEachMember { cursor, name throws(MalformedJSON.Problem) in
            if cursor.isText(name, "eventName") {
                operation = try self.operation(&cursor)
            } else if cursor.isText(name, "dynamodb") {
                change = try self.change(&cursor, &form)
            } else {
                _ = try cursor.value()
            }
        }
        guard let operation else { throw .noEventName }
        guard let change else { throw .noChange }
        guard let keys = change.keys else { throw .noKeys }
        guard let sequenceNumber = change.sequenceNumber else { throw .noSequenceNumber }
        return Record(
            operation: operation, sequenceNumber: sequenceNumber, keys: keys,
            newImage: change.newImage, isNewImageCanonical: change.isNewImageCanonical,
            creationTime: change.creationTime)
    }

    private static func operation(
        _ cursor: inout JSONCursor
    ) throws(MalformedJSON.Problem) -> Record.Operation {
        let name = try cursor.string()
        if cursor.isText(name, "MODIFY") { return .modify }
        if cursor.isText(name, "INSERT") { return .insert }
        if cursor.isText(name, "REMOVE") { return .remove }
        throw .unknownEventName
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
    ) throws(MalformedJSON.Problem) -> Change {
        var change = Change()
        try cursor.forEachMember { cursor, name throws(MalformedJSON.Problem) in
            if cursor.isText(name, "Keys") {
                guard try cursor.peek() == UInt8(ascii: "{") else { throw .noObject }
                change.keys = try cursor.value()
            } else if cursor.isText(name, "NewImage") {
                change.newImage = nil
                if try cursor.takesNull() { return }
                guard try cursor.peek() == UInt8(ascii: "{") else { throw .noObject }
                form.reset()
                change.newImage = try cursor.value(noting: &form)
                change.isNewImageCanonical = form.isCanonical
            } else if cursor.isText(name, "SequenceNumber") {
                let digits = try cursor.string().range
                guard (1...40).contains(digits.count), cursor.bytes.areDigits(digits) else {
                    throw .badSequenceNumber
                }
                change.sequenceNumber = digits
            } else if cursor.isText(name, "ApproximateCreationDateTime") {
                change.creationTime = try cursor.takesNull() ? nil : time(&cursor)
            } else {
                _ = try cursor.value()
            }
        }
        return change
    }

    /// Reads seconds since 1970, which the service also writes as 1.46480643E9.
    private static func time(_ cursor: inout JSONCursor) throws(MalformedJSON.Problem) -> Double {
        let first = try cursor.peek()
        let range = try cursor.value()
        guard first == UInt8(ascii: "-") || first &- UInt8(ascii: "0") < 10,
            let time = JSONNumber.double(at: range, of: cursor.bytes), time.isFinite
        else { throw .badCreationTime }
        return time
    }
}
