import Records

// TransactWriteItems.

extension Service {
    /// The most items of one transaction.
    private static let transactionMax = 100
    /// How long a transaction is known by its token, in milliseconds.
    ///
    /// Source: API reference, TransactWriteItems: ten minutes.
    private static let tokenLifetime = 10 * 60 * 1_000

    /// A transaction that was made.
    struct Transaction: Sendable {
        /// When it was made.
        let made: Moment
        /// The checksum of what was asked for.
        let checksum: UInt32
    }

    /// Stores and removes up to 100 items: all of them are checked first, and each leaves its own record.
    ///
    /// A request with the token of an earlier one is answered again and changes nothing.
    mutating func transactWriteItems(_ input: Input) throws(ServiceError) -> JSON {
        let entries = try input.list("TransactItems")
        let token = try input.string("ClientRequestToken")
        var constraints = Constraints()
        constraints.require(entries, "transactItems")
        constraints.count(entries?.count, "transactItems", 1...Self.transactionMax)
        constraints.length(token, "clientRequestToken", 1...36)
        try constraints.check()
        let checksum = CRC32.checksum(JSON.array(entries ?? []).bytes)
        if let token, let earlier = transactions[token], now - earlier.made <= Self.tokenLifetime {
            guard earlier.checksum == checksum else {
                throw ServiceError(
                    family: .dynamo, name: "IdempotentParameterMismatchException",
                    message: "The token was used for another transaction")
            }
            return .object([])
        }
        var writes: [(table: String, key: ItemKey, item: Item?)] = []
        for entry in entries ?? [] { writes.append(try transactedWrite(try Input(entry))) }
        for name in Set(writes.map(\.table)) {
            let keys = writes.filter { $0.table == name }.map(\.key)
            guard Set(keys).count == keys.count else {
                throw .validation(
                    "Transaction request cannot include multiple operations on one item")
            }
        }
        for entry in writes { _ = write(entry.key, entry.item, to: entry.table) }
        if let token {
            transactions = transactions.filter { now - $0.value.made <= Self.tokenLifetime }
            transactions[token] = Transaction(made: now, checksum: checksum)
        }
        return .object([])
    }

    private func transactedWrite(
        _ entry: Input
    ) throws(ServiceError) -> (table: String, key: ItemKey, item: Item?) {
        try entry.refuse("ConditionCheck", "Update")
        let put = try entry.structure("Put")
        let delete = try entry.structure("Delete")
        guard let write = put ?? delete, put == nil || delete == nil else {
            throw .validation("TransactItems can only contain one of Check, Put, Update or Delete")
        }
        try Self.refuseConditions(write)
        let (table, schema) = try writtenTable(write)
        guard put == nil else {
            let item = try Item(members(write, "Item"), schema)
            return (table, item.key, item)
        }
        return (table, try key(write, "Key", schema), nil)
    }
}
