// UpdateItem.

extension Service {
    /// Sets and removes attributes of the item with a key, and makes the item where there is none.
    mutating func updateItem(_ input: Input) throws(ServiceError) -> JSON {
        try input.refuse(
            "ConditionExpression", "Expected", "ConditionalOperator", "AttributeUpdates")
        let (table, schema) = try writtenTable(input)
        let returned = try input.string("ReturnValues") ?? "NONE"
        var constraints = Constraints()
        constraints.oneOf(returned, "returnValues", ["NONE", "ALL_OLD", "ALL_NEW"])
        try constraints.check()
        let key = try key(input, "Key", schema)
        var attributes: [JSON.Member] = []
        let stored = tables[table]?.items[key]?.json ?? key.json
        if case .object(let members)? = try? JSONParser.parse(stored) { attributes = members }
        if let text = try input.string("UpdateExpression") {
            let update = try UpdateExpression(
                text, names: try input.structure("ExpressionAttributeNames"),
                values: try input.structure("ExpressionAttributeValues"))
            let changed = update.removed.union(update.values.map(\.name))
            for attribute in schema.attributes where changed.contains(attribute.name) {
                throw .parameter(
                    "Cannot update attribute \(attribute.name). This attribute is part of the key")
            }
            attributes.removeAll { changed.contains($0.name) }
            attributes += update.values.map { JSON.Member(name: $0.name, value: $0.value) }
        } else {
            try input.refuse("ExpressionAttributeNames", "ExpressionAttributeValues")
        }
        let item = try Item(attributes, schema)
        let old = write(key, item, to: table)
        let shown = returned == "ALL_NEW" ? item : returned == "ALL_OLD" ? old : nil
        return .members(["Attributes": shown.map { .rendered($0.json) }])
    }
}
