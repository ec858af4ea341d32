/// A table: its items, and the stream of its changes.
struct Table: Sendable {
    /// The table's name.
    let name: String
    /// The table's full name.
    let arn: String
    /// A name that no other table ever has.
    let id: String
    /// The key.
    let schema: KeySchema
    /// When the table was made.
    let created: Moment
    /// What CreateTable said about capacity, to be given back.
    let capacity: Capacity
    /// The parts of the keys, by the hash of the partition key.
    var partitions: [ClosedRange<UInt64>]
    /// The stream that was switched on last; it may be off.
    var stream: String?
    /// The items.
    var items = ItemStore()
    /// When items are deleted by themselves; nil where they are not.
    var expirations: Expirations?

    /// How a table is paid for.
    enum Capacity: Hashable, Sendable {
        /// By the request.
        case onDemand
        /// By the hour: read and write units.
        case provisioned(read: Int, write: Int)
    }

    /// Equal parts of all hashes.
    static func partitions(_ count: Int) -> [ClosedRange<UInt64>] {
        let width = UInt64.max / UInt64(count)
        return (0..<UInt64(count)).map { index in
            let isLast = index == UInt64(count) - 1
            return (index * width)...(isLast ? .max : (index + 1) * width - 1)
        }
    }

    /// The table as DescribeTable shows it, with the stream that was switched on last.
    ///
    /// The status is `ACTIVE`, or what a change is answered with.
    func json(status: String, stream: Stream?) -> JSON {
        var units = (read: 0, write: 0)
        if case .provisioned(let read, let write) = capacity { units = (read, write) }
        let isOn = stream.map { $0.disabled == nil } ?? false
        return .members([
            "AttributeDefinitions": schema.definitions,
            "TableName": .text(name),
            "KeySchema": schema.json,
            "TableStatus": .text(status),
            "CreationDateTime": .number(created.creationText),
            "ProvisionedThroughput": .members([
                "NumberOfDecreasesToday": .integer(0),
                "ReadCapacityUnits": .integer(units.read),
                "WriteCapacityUnits": .integer(units.write),
            ]),
            "TableSizeBytes": .integer(items.size),
            "ItemCount": .integer(items.count),
            "TableArn": .text(arn),
            "TableId": .text(id),
            "BillingModeSummary": capacity == .onDemand
                ? .members(["BillingMode": .text("PAY_PER_REQUEST")]) : nil,
            "StreamSpecification": isOn
                ? .members([
                    "StreamEnabled": .bool(true),
                    "StreamViewType": stream.map { .text($0.view.rawValue) },
                ]) : nil,
            "LatestStreamLabel": stream.map { .text($0.label) },
            "LatestStreamArn": stream.map { .text($0.arn) },
            "DeletionProtectionEnabled": .bool(false),
        ])
    }
}
