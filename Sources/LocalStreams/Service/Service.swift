/// DynamoDB and its streams as a value: an operation and a time in, an answer out.
///
/// Holds all tables and streams. The same seed, operations and times give the same answers, to the byte. Time
/// never goes back; whatever was due since the last operation happens first, each thing at its own moment.
struct Service: Sendable {
    /// What a service is like.
    struct Settings: Hashable, Sendable {
        /// The region that is part of every name.
        var region: String
        /// The account that is part of every name.
        var account: String
        /// How many parts the keys of a new table are split into.
        var partitions: Int
        /// How the shards of streams live.
        var pace: Stream.Pace
        /// What calls cost.
        var costs = CallCosts()
        /// What DescribeStream makes of a filter.
        var shardFilter = LocalStreams.ShardFilterSupport.served
        /// How the names in a `userIdentity` are written.
        var identityCasing = LocalStreams.IdentityCasing.capital
    }

    /// What a service is like.
    let settings: Settings
    /// The tables by name.
    var tables: [String: Table] = [:]
    /// The streams by name, those of deleted tables and switched off ones included.
    var streams: [String: Stream] = [:]
    /// The transactions of the last minutes by their tokens.
    var transactions: [String: Transaction] = [:]
    /// What is left of the budgets of calls.
    var budgets = Budgets()
    /// The time of the last operation.
    private(set) var now: Moment
    /// Makes every name and number that is not given.
    var generator: SeededGenerator

    /// A service without tables.
    init(_ settings: Settings, seed: UInt64, at moment: Moment) {
        self.settings = settings
        generator = SeededGenerator(seed: seed)
        now = moment
    }

    /// Lets pass the time until `moment`.
    mutating func advance(to moment: Moment) {
        now = max(now, moment)
        expireItems(until: now)
        for arn in Array(streams.keys) {
            streams[arn]?.advance(to: now)
            if streams[arn]?.isGone(at: now) ?? false { streams[arn] = nil }
        }
    }

    /// Answers a request, or throws what the service answers instead.
    mutating func answer(_ request: Request, at moment: Moment) throws(ServiceError) -> JSON {
        advance(to: moment)
        let input = request.input
        try budgets.take(request.operation, settings.costs, at: now)
        return switch request.operation {
        case .createTable: try createTable(input)
        case .describeTable: try describeTable(input)
        case .updateTable: try updateTable(input)
        case .deleteTable: try deleteTable(input)
        case .listTables: try listTables(input)
        case .updateTimeToLive: try updateTimeToLive(input)
        case .describeTimeToLive: try describeTimeToLive(input)
        case .putItem: try putItem(input)
        case .getItem: try getItem(input)
        case .deleteItem: try deleteItem(input)
        case .updateItem: try updateItem(input)
        case .batchWriteItem: try batchWriteItem(input)
        case .transactWriteItems: try transactWriteItems(input)
        case .scan: try scan(input)
        case .listStreams: try listStreams(input)
        case .describeStream: try describeStream(input)
        case .getShardIterator: try shardIterator(input)
        case .getRecords: try records(input)
        }
    }
}

/// A request: what is to be done, and with what.
struct Request: Sendable {
    /// What is to be done.
    let operation: Operation
    /// The request's members.
    let input: Input

    /// Reads a request.
    ///
    /// - Parameters:
    ///   - target: the operation with the name of its interface, `DynamoDB_20120810.PutItem`.
    ///   - body: the request's JSON.
    /// - Throws: `UnknownOperationException` and `SerializationException`.
    init(_ target: String, _ body: [UInt8]) throws(ServiceError) {
        guard let operation = Operation(rawValue: target) else {
            throw ServiceError(
                family: .front, name: "UnknownOperationException",
                message: "The requested operation is not known: \(target)")
        }
        self.operation = operation
        let json: JSON
        do { json = try JSONParser.parse(body) } catch {
            throw .serialization("The body is not JSON, at byte \(error.offset)")
        }
        input = try Input(json)
    }
}

/// The operations, named as the requests' target header names them.
enum Operation: String, CaseIterable, Sendable {
    /// Makes a table.
    case createTable = "DynamoDB_20120810.CreateTable"
    /// Shows a table.
    case describeTable = "DynamoDB_20120810.DescribeTable"
    /// Switches a table's stream on or off.
    case updateTable = "DynamoDB_20120810.UpdateTable"
    /// Removes a table.
    case deleteTable = "DynamoDB_20120810.DeleteTable"
    /// Names the tables.
    case listTables = "DynamoDB_20120810.ListTables"
    /// Switches the deletion of expired items on or off.
    case updateTimeToLive = "DynamoDB_20120810.UpdateTimeToLive"
    /// Shows whether expired items are deleted.
    case describeTimeToLive = "DynamoDB_20120810.DescribeTimeToLive"
    /// Stores an item.
    case putItem = "DynamoDB_20120810.PutItem"
    /// Reads an item.
    case getItem = "DynamoDB_20120810.GetItem"
    /// Removes an item.
    case deleteItem = "DynamoDB_20120810.DeleteItem"
    /// Changes attributes of an item.
    case updateItem = "DynamoDB_20120810.UpdateItem"
    /// Stores and removes items, all or none.
    case transactWriteItems = "DynamoDB_20120810.TransactWriteItems"
    /// Stores and removes items.
    case batchWriteItem = "DynamoDB_20120810.BatchWriteItem"
    /// Reads items in the order of their hashes.
    case scan = "DynamoDB_20120810.Scan"
    /// Names the streams.
    case listStreams = "DynamoDBStreams_20120810.ListStreams"
    /// Lists a stream's shards.
    case describeStream = "DynamoDBStreams_20120810.DescribeStream"
    /// Gives a place in a shard.
    case getShardIterator = "DynamoDBStreams_20120810.GetShardIterator"
    /// Reads a shard.
    case getRecords = "DynamoDBStreams_20120810.GetRecords"

    /// The operation's own name, such as `GetRecords`.
    var name: String { String(rawValue.drop { $0 != "." }.dropFirst()) }
}
