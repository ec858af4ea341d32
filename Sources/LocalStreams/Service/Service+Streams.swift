// ListStreams, DescribeStream, GetShardIterator and GetRecords.

extension Service {
    /// The most streams or shards of a page.
    private static let listMax = 100

    /// Names the streams of one table or of all, switched off ones included.
    func listStreams(_ input: Input) throws(ServiceError) -> JSON {
        let table = try input.string("TableName")
        let start = try input.string("ExclusiveStartStreamArn")
        let limit = try input.integer("Limit")
        var constraints = Constraints()
        if table != nil { constraints.tableName(table) }
        constraints.length(start, "exclusiveStartStreamArn", 37...1_024)
        constraints.range(limit, "limit", 1...Self.listMax)
        try constraints.check()
        let listed = streams.values
            .filter { table == nil || $0.table == table }
            .filter { stream in start.map { $0 < stream.arn } ?? true }
            .sorted { $0.arn < $1.arn }
        let page = listed.prefix(limit ?? Self.listMax)
        return .members([
            "Streams": .array(
                page.map {
                    .members([
                        "StreamArn": .text($0.arn), "TableName": .text($0.table),
                        "StreamLabel": .text($0.label),
                    ])
                }),
            "LastEvaluatedStreamArn": page.count < listed.count
                ? page.last.map { .text($0.arn) } : nil,
        ])
    }

    /// Shows a stream and a page of its shards, or the children of one shard.
    func describeStream(_ input: Input) throws(ServiceError) -> JSON {
        let arn = try input.string("StreamArn")
        let start = try input.string("ExclusiveStartShardId")
        let limit = try input.integer("Limit")
        var constraints = Constraints()
        constraints.streamARN(arn)
        constraints.length(start, "exclusiveStartShardId", 28...65)
        constraints.range(limit, "limit", 1...Self.listMax)
        let filter = try shardFilter(input)
        let kind = try filter?.string("Type")
        let parent = try filter?.string("ShardId")
        constraints.oneOf(kind, "shardFilter.type", ["CHILD_SHARDS"])
        constraints.length(parent, "shardFilter.shardId", 28...65)
        try constraints.check()
        let stream = try stream(arn)
        let listed: (shards: [Shard], hasMore: Bool)
        if filter != nil {
            guard kind != nil, let parent else {
                throw .validation("ShardFilter requires a Type and a ShardId")
            }
            listed = (stream.children(of: parent, at: now), false)
        } else {
            listed = stream.listing(after: start, limit: limit ?? Self.listMax, at: now)
        }
        return .members([
            "StreamDescription": .members([
                "StreamArn": .text(stream.arn),
                "StreamLabel": .text(stream.label),
                "StreamStatus": .text(stream.status(at: now)),
                "StreamViewType": .text(stream.view.rawValue),
                "CreationRequestDateTime": .number(stream.created.creationText),
                "TableName": .text(stream.table),
                "KeySchema": stream.schema.json,
                "Shards": .array(listed.shards.map { $0.json(at: now) }),
                "LastEvaluatedShardId": listed.hasMore
                    ? listed.shards.last.map { .text($0.id) } : nil,
            ])
        ])
    }

    /// Gives a place in a shard.
    func shardIterator(_ input: Input) throws(ServiceError) -> JSON {
        let arn = try input.string("StreamArn")
        let shard = try input.string("ShardId")
        let word = try input.string("ShardIteratorType")
        let digits = try input.string("SequenceNumber")
        var constraints = Constraints()
        constraints.streamARN(arn)
        constraints.require(shard, "shardId")
        constraints.length(shard, "shardId", 28...65)
        constraints.require(word, "shardIteratorType")
        constraints.oneOf(word, "shardIteratorType", IteratorType.allCases.map(\.rawValue))
        constraints.length(digits, "sequenceNumber", 21...40)
        try constraints.check()
        guard let shard, let type = word.flatMap(IteratorType.init) else {
            preconditionFailure("the constraints were checked")
        }
        let number = digits.flatMap { SequenceNumber($0) }
        guard (digits == nil) == (number == nil) else {
            throw .validation("Invalid SequenceNumber: it is not a number")
        }
        guard type.needsNumber == (number != nil) else {
            throw .validation(
                "Invalid ShardIteratorType: SequenceNumber must "
                    + "\(type.needsNumber ? "" : "not ")be specified for \(type.rawValue)")
        }
        let position = try stream(arn).position(type, number, in: shard, at: now)
        return .members(["ShardIterator": .text(position.text)])
    }

    /// Reads the records at an iterator.
    mutating func records(_ input: Input) throws(ServiceError) -> JSON {
        let iterator = try input.string("ShardIterator")
        let limit = try input.integer("Limit")
        var constraints = Constraints()
        constraints.require(iterator, "shardIterator")
        constraints.length(iterator, "shardIterator", 1...2_048)
        constraints.range(limit, "limit", 1...Stream.recordsMax)
        try constraints.check()
        guard let position = iterator.flatMap({ ShardPosition($0) }) else {
            throw .validation("Invalid ShardIterator")
        }
        try budgets.read(position.shard, settings.costs, at: now)
        guard now - position.issued <= ShardPosition.lifetime else {
            throw .expiredIterator
        }
        let page = try stream(position.stream)
            .page(at: position, limit: limit ?? Stream.recordsMax, at: now)
        return .members([
            "Records": .array(page.records.map { .rendered($0.json) }),
            "NextShardIterator": page.next.map { .text($0.text) },
        ])
    }

    private func shardFilter(_ input: Input) throws(ServiceError) -> Input? {
        switch settings.shardFilter {
        case .served: return try input.structure("ShardFilter")
        case .ignored: return nil
        case .refused:
            guard input["ShardFilter"] == nil else {
                throw .validation("Unknown parameter in input: ShardFilter")
            }
            return nil
        }
    }

    private func stream(_ arn: String?) throws(ServiceError) -> Stream {
        let arn = arn ?? ""
        guard let stream = streams[arn] else {
            throw .notFound("Stream: \(arn) not found")
        }
        return stream
    }
}

extension Constraints {
    /// Notes that a stream's name is absent, too short or long, or made up differently.
    mutating func streamARN(_ arn: String?) {
        require(arn, "streamArn")
        guard let arn else { return }
        length(arn, "streamArn", 37...1_024)
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        let path = parts.last?.split(separator: "/", omittingEmptySubsequences: false) ?? []
        let isStream =
            parts.count == 6 && parts[0] == "arn" && parts[2] == "dynamodb" && path.count == 4
            && path[0] == "table" && path[2] == "stream"
        if !isStream {
            note("'\(arn)'", "streamArn", "Member must be the ARN of a stream")
        }
    }
}
