// PutItem, GetItem, DeleteItem, BatchWriteItem and Scan.

extension Service {
    /// The most items of one BatchWriteItem.
    private static let batchMax = 25
    /// The most bytes of the items that one Scan looks at.
    private static let scanBytesMax = 1_048_576

    /// Members that would change what a write does.
    static func refuseConditions(_ input: Input) throws(ServiceError) {
        try input.refuse(
            "ConditionExpression", "Expected", "ConditionalOperator", "ExpressionAttributeNames",
            "ExpressionAttributeValues")
    }

    /// Stores an item in place of the one with its key.
    mutating func putItem(_ input: Input) throws(ServiceError) -> JSON {
        try Self.refuseConditions(input)
        let (table, schema) = try writtenTable(input)
        let returnsOld = try returnsOldValues(input)
        let item = try Item(members(input, "Item"), schema)
        let old = write(item.key, item, to: table)
        return .members(["Attributes": returnsOld ? old.map { .rendered($0.json) } : nil])
    }

    /// Removes the item with a key, where there is one.
    mutating func deleteItem(_ input: Input) throws(ServiceError) -> JSON {
        try Self.refuseConditions(input)
        let (table, schema) = try writtenTable(input)
        let returnsOld = try returnsOldValues(input)
        let key = try key(input, "Key", schema)
        let old = write(key, nil, to: table)
        return .members(["Attributes": returnsOld ? old.map { .rendered($0.json) } : nil])
    }

    /// Reads the item with a key.
    func getItem(_ input: Input) throws(ServiceError) -> JSON {
        try input.refuse("ProjectionExpression", "AttributesToGet", "ExpressionAttributeNames")
        let table = try itemTable(input)
        let item = table.items[try key(input, "Key", table.schema)]
        return .members(["Item": item.map { .rendered($0.json) }])
    }

    /// Stores and removes up to 25 items, each on its own; all of them are checked first.
    mutating func batchWriteItem(_ input: Input) throws(ServiceError) -> JSON {
        guard case .object(let requests)? = input["RequestItems"], !requests.isEmpty else {
            throw .validation(
                "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy "
                    + "constraint: Member must have length greater than or equal to 1")
        }
        var writes: [(table: String, key: ItemKey, item: Item?)] = []
        for member in requests {
            let name = member.name.description
            guard case .array(let entries) = member.value else {
                throw .serialization("Unexpected value type in payload")
            }
            guard let schema = tables[name]?.schema else { throw .notFound("") }
            for entry in entries {
                let (key, item) = try Self.write(try Input(entry), schema)
                writes.append((name, key, item))
            }
        }
        guard writes.count <= Self.batchMax else {
            throw .validation("Too many items requested for the BatchWriteItem call")
        }
        for name in Set(writes.map(\.table)) {
            let keys = writes.filter { $0.table == name }.map(\.key)
            guard Set(keys).count == keys.count else {
                throw .validation("Provided list of item keys contains duplicates")
            }
        }
        for entry in writes { _ = write(entry.key, entry.item, to: entry.table) }
        return .members(["UnprocessedItems": .object([])])
    }

    /// Reads the items of a table, or of one segment of it, page by page.
    func scan(_ input: Input) throws(ServiceError) -> JSON {
        try input.refuse(
            "FilterExpression", "ScanFilter", "ProjectionExpression", "AttributesToGet",
            "IndexName", "ConditionalOperator", "ExpressionAttributeNames",
            "ExpressionAttributeValues")
        let table = try itemTable(input)
        let limit = try input.integer("Limit")
        let (segment, segments) = try Self.segment(input)
        let select = try input.string("Select")
        var constraints = Constraints()
        constraints.range(limit, "limit", 1...Int.max)
        constraints.oneOf(select, "select", ["ALL_ATTRIBUTES", "COUNT"])
        try constraints.check()
        let start: ItemKey? =
            input["ExclusiveStartKey"] == nil
            ? nil : try key(input, "ExclusiveStartKey", table.schema)
        var items: [Item] = []
        var bytes = 0
        var hasMore = false
        table.items.scan(after: start, segment: segment, of: segments) { item in
            guard items.count < limit ?? .max, bytes < Self.scanBytesMax else {
                hasMore = true
                return false
            }
            items.append(item)
            bytes += item.size
            return true
        }
        // A page that is full by its limit names its last item even where nothing follows.
        let isFull = hasMore || items.count == limit
        return .members([
            "Items": select == "COUNT" ? nil : .array(items.map { .rendered($0.json) }),
            "Count": .integer(items.count),
            "ScannedCount": .integer(items.count),
            "LastEvaluatedKey": isFull ? items.last.map { .rendered($0.key.json) } : nil,
        ])
    }

    // MARK: Parts of requests

    /// The table of an operation on items; its answer to an unknown table does not name it.
    func itemTable(_ input: Input) throws(ServiceError) -> Table {
        let name = try input.string("TableName")
        var constraints = Constraints()
        constraints.tableName(name)
        try constraints.check()
        guard let table = tables[name ?? ""] else { throw .notFound("") }
        return table
    }

    /// The table of a write: not as a copy, which would make the write copy the table's items.
    func writtenTable(
        _ input: Input
    ) throws(ServiceError) -> (name: String, schema: KeySchema) {
        let table = try itemTable(input)
        return (table.name, table.schema)
    }

    /// The attributes of an item or a key in a request.
    func members(_ input: Input, _ name: String) throws(ServiceError) -> [JSON.Member] {
        switch input[name] {
        case .object(let members)?: return members
        case nil:
            var constraints = Constraints()
            constraints.require(nil as JSON?, name.prefix(1).lowercased() + name.dropFirst())
            try constraints.check()
            return []
        default: throw .serialization("Unexpected value type in payload")
        }
    }

    /// A key in a request.
    func key(
        _ input: Input, _ name: String, _ schema: KeySchema
    ) throws(ServiceError) -> ItemKey {
        try ItemKey(
            exactly: AttributeValue.attributes(members(input, name), depth: 0), schema)
    }

    private func returnsOldValues(_ input: Input) throws(ServiceError) -> Bool {
        let values = try input.string("ReturnValues")
        guard values != nil, values != "NONE", values != "ALL_OLD" else {
            return values == "ALL_OLD"
        }
        throw .validation("Return values set to invalid value")
    }

    private static func write(
        _ request: Input, _ schema: KeySchema
    ) throws(ServiceError) -> (ItemKey, Item?) {
        let put = try request.structure("PutRequest")
        let delete = try request.structure("DeleteRequest")
        switch (put?["Item"], delete?["Key"]) {
        case (.object(let members)?, nil) where delete == nil:
            let item = try Item(members, schema)
            return (item.key, item)
        case (nil, .object(let members)?) where put == nil:
            return (try ItemKey(exactly: AttributeValue.attributes(members, depth: 0), schema), nil)
        default:
            throw .validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one "
                    + "of the supported datatypes")
        }
    }

    private static func segment(_ input: Input) throws(ServiceError) -> (Int, Int) {
        let segment = try input.integer("Segment")
        let total = try input.integer("TotalSegments")
        var constraints = Constraints()
        constraints.range(segment, "segment", 0...999_999)
        constraints.range(total, "totalSegments", 1...1_000_000)
        try constraints.check()
        switch (segment, total) {
        case (nil, nil): return (0, 1)
        case (nil, _?):
            throw .validation(
                "The Segment parameter is required but was not present in the request when "
                    + "TotalSegments parameter is present")
        case (_?, nil):
            throw .validation(
                "The TotalSegments parameter is required but was not present in the request when "
                    + "Segment parameter is present")
        case (let segment?, let total?):
            guard segment < total else {
                throw .validation(
                    "The Segment parameter is zero-based and must be less than parameter "
                        + "TotalSegments: Segment: \(segment) is not less than TotalSegments: \(total)"
                )
            }
            return (segment, total)
        }
    }

    /// Stores or, where `item` is nil, removes, and writes the record where that changed anything.
    /// - Parameters:
    ///   - key: the item's key.
    ///   - item: the item; nil for none.
    ///   - table: the name of the table.
    ///   - moment: when it is done; nil for now.
    ///   - userIdentity: who did it, for the record; nil for anybody.
    /// - Returns: the item that was there before.
    mutating func write(
        _ key: ItemKey, _ item: Item?, to table: String, at moment: Moment? = nil,
        userIdentity: JSON? = nil
    ) -> Item? {
        let moment = moment ?? now
        let old =
            if let item { tables[table]?.items.put(item) } else {
                tables[table]?.items.remove(key)
            }
        if let change = Change(from: old, to: item), let arn = tables[table]?.stream,
            streams[arn]?.disabled == nil
        {
            streams[arn]?.append(
                change, at: moment, region: settings.region, userIdentity: userIdentity)
        }
        if let item, tables[table]?.expirations != nil, let items = tables[table]?.items {
            tables[table]?.expirations?.note(item, at: moment)
            tables[table]?.expirations?.tidy(items)
        }
        return old
    }
}
