import Testing

@testable import LocalStreams

/// A service on a clock of the test's own, with short forms of the calls that tests make.
final class Emulated {
    /// The service.
    var service: Service
    /// The service's time, in milliseconds since its start.
    var now = 0

    static let start = Moment(milliseconds: 1_700_000_000_123)
    static let hour = 60 * 60 * 1_000

    /// A service without tables; shards roll over only when they are told to, unless an interval is given.
    init(
        seed: UInt64 = 1, partitions: Int = 4, rolloverInterval: Int? = nil,
        recordsMax: Int? = nil, bytesMax: Int? = nil, splitShare: Double = 0,
        splitChildren: Int = 2, leafShare: Double = 0,
        emptyPagesMax: Int = 0, listingDelayMax: Int = 0, lateListingMax: Int = 0,
        recordDelayMax: Int = 0, transition: Int = 0,
        limits: LocalStreams.Limits = .none,
        shardFilter: LocalStreams.ShardFilterSupport = .served,
        identityCasing: LocalStreams.IdentityCasing = .capital
    ) {
        let pace = Stream.Pace(
            rolloverInterval: rolloverInterval, shardRecordsMax: recordsMax,
            shardBytesMax: bytesMax, splitShare: splitShare, splitChildren: splitChildren,
            leafShare: leafShare, retention: 24 * Self.hour,
            emptyPagesMax: emptyPagesMax, listingDelayMax: listingDelayMax,
            lateListingMax: lateListingMax, recordDelayMax: recordDelayMax, transition: transition)
        service = Service(
            Service.Settings(
                region: "us-east-1", account: "000000000000", partitions: partitions, pace: pace,
                costs: limits.costs(speed: 1), shardFilter: shardFilter,
                identityCasing: identityCasing),
            seed: seed, at: Self.start)
    }

    /// Sends a request; the answer as JSON.
    @discardableResult
    func call(_ operation: Operation, _ body: String) throws -> JSON {
        let request = try Request(operation.rawValue, Array(body.utf8))
        let answer = try service.answer(request, at: Self.start + now)
        // Records are rendered already: parsed again, they can be looked into.
        return try JSONParser.parse(answer.bytes)
    }

    /// The error that a request is answered with, or nil where it is served.
    func error(
        _ operation: Operation, _ body: String
    ) throws -> ServiceError? {
        do {
            try call(operation, body)
            return nil
        } catch let error as ServiceError {
            return error
        }
    }

    /// Makes the table `items` with the key `id` of type S and a stream, and returns the stream's name.
    @discardableResult
    func makeTable(view: String = "NEW_AND_OLD_IMAGES") throws -> String {
        let answer = try call(
            .createTable,
            #"""
            {"TableName":"items","BillingMode":"PAY_PER_REQUEST",
             "KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
             "AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],
             "StreamSpecification":{"StreamEnabled":true,"StreamViewType":"\#(view)"}}
            """#)
        return try #require(answer["TableDescription"]?["LatestStreamArn"]?.string)
    }

    /// Closes every open shard and opens a child for each.
    func rollOver() { service.rollOver() }

    /// Splits a shard; false where it is not open.
    func split(_ shard: String, into count: Int = 2) -> Bool { service.split(shard, into: count) }

    /// Closes a shard without a child; false where it is not open.
    func closeWithoutChild(_ shard: String) -> Bool { service.closeWithoutChild(shard) }

    /// Stores an item with a key and a number.
    func put(_ id: String, _ number: Int) throws {
        try call(
            .putItem,
            #"{"TableName":"items","Item":{"id":{"S":"\#(id)"},"n":{"N":"\#(number)"}}}"#)
    }

    /// All pages of a listing.
    func shards(_ arn: String, limit: Int = 100) throws -> [JSON] {
        var shards: [JSON] = []
        var start: String?
        repeat {
            let from = start.map { #","ExclusiveStartShardId":"\#($0)""# } ?? ""
            let page = try call(
                .describeStream, #"{"StreamArn":"\#(arn)","Limit":\#(limit)\#(from)}"#)
            shards += page["StreamDescription"]?["Shards"]?.array ?? []
            start = page["StreamDescription"]?["LastEvaluatedShardId"]?.string
        } while start != nil
        return shards
    }

    /// An iterator.
    func iterator(
        _ arn: String, _ shard: String, _ type: String = "TRIM_HORIZON", _ number: String? = nil
    ) throws -> String {
        let number = number.map { #","SequenceNumber":"\#($0)""# } ?? ""
        let answer = try call(
            .getShardIterator,
            #"{"StreamArn":"\#(arn)","ShardId":"\#(shard)","ShardIteratorType":"\#(type)"\#(number)}"#
        )
        return try #require(answer["ShardIterator"]?.string)
    }

    /// A page.
    func page(
        _ iterator: String, limit: Int = 1_000
    ) throws -> (records: [JSON], next: String?) {
        let answer = try call(
            .getRecords, #"{"ShardIterator":"\#(iterator)","Limit":\#(limit)}"#)
        return (try #require(answer["Records"]?.array), answer["NextShardIterator"]?.string)
    }

    /// The records of a shard from its beginning, until it ends or an open one has no more.
    func records(_ arn: String, _ shard: String, limit: Int = 1_000) throws -> [JSON] {
        var records: [JSON] = []
        var next: String? = try iterator(arn, shard)
        var emptyPages = 0
        while let iterator = next, emptyPages < 10 {
            let page = try page(iterator, limit: limit)
            records += page.records
            next = page.next
            emptyPages = page.records.isEmpty ? emptyPages + 1 : 0
        }
        return records
    }

    /// The keys of a shard's records, in the order in which they were written to.
    func keys(_ arn: String, _ shard: String) throws -> [String] {
        try records(arn, shard).map {
            try #require($0["dynamodb"]?["Keys"]?["id"]?["S"]?.string)
        }
    }
}

extension JSON {
    /// A member of an object.
    subscript(name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == Text(name) }?.value
    }

    /// The elements of a list.
    var array: [JSON]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    /// The value of a whole number.
    var integer: Int? {
        guard case .number(let digits) = self else { return nil }
        return Int(digits)
    }

    /// The characters of a text.
    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text.description
    }

    /// The number of a record, digits and all.
    var sequenceNumber: String { self["dynamodb"]?["SequenceNumber"]?.string ?? "" }

    /// The name of a shard.
    var shardID: String { self["ShardId"]?.string ?? "" }

    /// The name of a shard's parent.
    var parent: String? { self["ParentShardId"]?.string }

    /// Where a shard's numbers begin.
    var start: String { self["SequenceNumberRange"]?["StartingSequenceNumber"]?.string ?? "" }

    /// Where a shard's numbers end; nil while it is listed as open.
    var end: String? { self["SequenceNumberRange"]?["EndingSequenceNumber"]?.string }
}

/// Whether a number comes before another: by length, then by digits.
func comesBefore(_ left: String, _ right: String) -> Bool {
    (left.utf8.count, left) < (right.utf8.count, right)
}
