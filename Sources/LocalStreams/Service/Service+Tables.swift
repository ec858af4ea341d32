// CreateTable, DescribeTable, UpdateTable, DeleteTable and ListTables.

extension Service {
    /// Makes a table and, where the request says so, its stream.
    mutating func createTable(_ input: Input) throws(ServiceError) -> JSON {
        try input.refuse("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
        let name = try tableName(input)
        let schema = try keySchema(input)
        let capacity = try capacity(input)
        let view = try streamView(input)
        guard tables[name] == nil else {
            throw ServiceError(
                family: .dynamo, name: "ResourceInUseException",
                message: "Table already exists: \(name)")
        }
        let digits = "0123456789abcdef"
        let id = [8, 4, 4, 4, 12].map { generator.text($0, of: digits) }.joined(separator: "-")
        tables[name] = Table(
            name: name,
            arn: "arn:aws:dynamodb:\(settings.region):\(settings.account):table/\(name)",
            id: id, schema: schema, created: now, capacity: capacity,
            partitions: Table.partitions(settings.partitions))
        if case .some(.some(let view)) = view { enableStream(of: name, view) }
        return description(of: name, "TableDescription", status: "CREATING")
    }

    /// Shows a table.
    mutating func describeTable(_ input: Input) throws(ServiceError) -> JSON {
        description(of: try existingTable(input).name, "Table", status: "ACTIVE")
    }

    /// Switches a table's stream on or off; changes nothing else.
    mutating func updateTable(_ input: Input) throws(ServiceError) -> JSON {
        try input.refuse(
            "AttributeDefinitions", "GlobalSecondaryIndexUpdates", "ReplicaUpdates",
            "SSESpecification", "TableClass", "BillingMode", "ProvisionedThroughput")
        let table = try existingTable(input)
        guard let view = try streamView(input) else {
            throw .validation(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
                    + "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
            )
        }
        let stream = table.stream.flatMap { streams[$0] }
        let isOn = stream.map { $0.disabled == nil } ?? false
        if let view {
            guard !isOn else {
                throw .validation("Table already has an enabled stream: it is already enabled")
            }
            enableStream(of: table.name, view)
        } else {
            guard let stream, isOn else {
                throw .validation("Table has no stream to disable: it is already disabled")
            }
            disableStream(stream.arn)
        }
        return description(of: table.name, "TableDescription", status: "UPDATING")
    }

    /// Removes a table.
    ///
    /// Its stream is switched off, and can be read for as long as records are kept.
    mutating func deleteTable(_ input: Input) throws(ServiceError) -> JSON {
        let table = try existingTable(input)
        if let arn = table.stream, streams[arn]?.disabled == nil { disableStream(arn) }
        let answer = description(of: table.name, "TableDescription", status: "DELETING")
        tables[table.name] = nil
        return answer
    }

    /// Names the tables in the order of their names.
    func listTables(_ input: Input) throws(ServiceError) -> JSON {
        let start = try input.string("ExclusiveStartTableName")
        let limit = try input.integer("Limit")
        var constraints = Constraints()
        constraints.range(limit, "limit", 1...100)
        constraints.length(start, "exclusiveStartTableName", 3...255)
        try constraints.check()
        let names = tables.keys.sorted().filter { name in start.map { $0 < name } ?? true }
        let page = names.prefix(limit ?? 100)
        return .members([
            "TableNames": .array(page.map { .text($0) }),
            "LastEvaluatedTableName": page.count < names.count ? page.last.map { .text($0) } : nil,
        ])
    }

    // MARK: Parts of requests

    /// The table that a request names.
    /// - Throws: `ResourceNotFoundException` with the table's name.
    func existingTable(_ input: Input) throws(ServiceError) -> Table {
        let name = try tableName(input)
        guard let table = tables[name] else { throw .notFound("Table: \(name) not found") }
        return table
    }

    private func tableName(_ input: Input) throws(ServiceError) -> String {
        let name = try input.string("TableName")
        var constraints = Constraints()
        constraints.tableName(name)
        try constraints.check()
        return name ?? ""
    }

    private func keySchema(_ input: Input) throws(ServiceError) -> KeySchema {
        var types: [String: String] = [:]
        var constraints = Constraints()
        for value in try input.list("AttributeDefinitions") ?? [] {
            let definition = try Input(value)
            let type = try definition.string("AttributeType")
            constraints.oneOf(
                type, "attributeDefinitions.1.member.attributeType", ["B", "N", "S"])
            types[try definition.string("AttributeName") ?? ""] = type
        }
        let elements = try input.list("KeySchema")
        constraints.require(elements, "keySchema")
        try constraints.check()
        var keys: [KeySchema.Attribute] = []
        for (value, kind) in zip(elements ?? [], ["HASH", "RANGE"]) {
            let element = try Input(value)
            let name = try element.string("AttributeName") ?? ""
            guard try element.string("KeyType") == kind else {
                throw .validation(
                    "Invalid KeySchema: The \(kind == "HASH" ? "first" : "second") "
                        + "KeySchemaElement is not a \(kind) key type")
            }
            guard let type = types[name] else {
                throw .parameter(
                    "Some index key attributes are not defined in AttributeDefinitions. Keys: "
                        + "[\(name)], AttributeDefinitions: [\(types.keys.sorted().joined(separator: ", "))]"
                )
            }
            keys.append(KeySchema.Attribute(name: Text(name), type: type))
        }
        guard let partition = keys.first, elements?.count == keys.count,
            Set(keys.map(\.name)).count == keys.count
        else {
            throw .validation("Invalid KeySchema: Some index key attribute have no definition")
        }
        guard types.count == keys.count else {
            throw .parameter(
                "Number of attributes in KeySchema does not exactly match number of attributes "
                    + "defined in AttributeDefinitions")
        }
        return KeySchema(partition: partition, sort: keys.dropFirst().first)
    }

    private func capacity(_ input: Input) throws(ServiceError) -> Table.Capacity {
        let mode = try input.string("BillingMode")
        var constraints = Constraints()
        constraints.oneOf(mode, "billingMode", ["PROVISIONED", "PAY_PER_REQUEST"])
        try constraints.check()
        if mode == "PAY_PER_REQUEST" { return .onDemand }
        guard let units = try input.structure("ProvisionedThroughput") else {
            throw .parameter(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
                    + "PROVISIONED")
        }
        return .provisioned(
            read: try units.integer("ReadCapacityUnits") ?? 1,
            write: try units.integer("WriteCapacityUnits") ?? 1)
    }

    /// What a request says about the stream: nothing, off (an inner nil), or on with a view.
    private func streamView(_ input: Input) throws(ServiceError) -> ViewType?? {
        guard let specification = try input.structure("StreamSpecification") else { return nil }
        let isOn = try specification.bool("StreamEnabled")
        let view = try specification.string("StreamViewType")
        var constraints = Constraints()
        constraints.require(isOn, "streamSpecification.streamEnabled")
        constraints.oneOf(
            view, "streamSpecification.streamViewType", ViewType.allCases.map(\.rawValue))
        try constraints.check()
        switch (isOn, view) {
        case (true, nil):
            throw .parameter("StreamViewType must be specified when StreamEnabled is true")
        case (true, let view?): return .some(ViewType(rawValue: view))
        case (_, .some):
            throw .parameter("StreamViewType can only be specified when StreamEnabled is true")
        case (_, nil): return .some(nil)
        }
    }

    // MARK: Streams of tables

    private mutating func enableStream(of name: String, _ view: ViewType) {
        guard let table = tables[name] else { preconditionFailure("the table exists") }
        // Two streams of one table never have the same name.
        var moment = now
        while streams["\(table.arn)/stream/\(moment.label)"] != nil { moment = moment + 1 }
        let arn = "\(table.arn)/stream/\(moment.label)"
        streams[arn] = Stream(
            arn: arn, label: moment.label, table: name, schema: table.schema, view: view,
            partitions: table.partitions, pace: settings.pace, at: now,
            generator: SeededGenerator(seed: generator.next()))
        tables[name]?.stream = arn
    }

    private mutating func disableStream(_ arn: String) {
        guard let stream = streams[arn] else { return }
        // What was split stays split: the next stream has as many shards.
        tables[stream.table]?.partitions = stream.partitions
        streams[arn]?.disable(at: now)
    }

    private func description(of name: String, _ member: String, status: String) -> JSON {
        guard let table = tables[name] else { preconditionFailure("the table exists") }
        let json = table.json(status: status, stream: table.stream.flatMap { streams[$0] })
        return .object([JSON.Member(name: Text(member), value: json)])
    }
}
