import AWS
package import Records
package import Walk

/// DynamoDB Streams as the walk's source.
package struct StreamsSource: Source {
    private let client: ServiceClient

    /// The most that the service gives in one answer of DescribeStream.
    private static let shardLimit = 100
    /// The most that the service gives in one answer of GetRecords.
    private static let recordLimit = 1_000

    /// The streams that `client` reaches, which has to speak to the API `streams`.
    package init(_ client: ServiceClient) { self.client = client }

    package func describe(
        _ stream: StreamARN, _ selection: ShardSelection
    ) async throws(SourceError) -> StreamDescription {
        let input =
            switch selection {
            case .all(let after):
                DescribeStream.Input(
                    streamArn: "\(stream)", limit: Self.shardLimit,
                    exclusiveStartShardId: after?.description, shardFilter: nil)
            case .children(let parent):
                DescribeStream.Input(
                    streamArn: "\(stream)", limit: nil, exclusiveStartShardId: nil,
                    shardFilter: .init(type: "CHILD_SHARDS", shardId: "\(parent)"))
            }
        let output: DescribeStream.Output = try await client.call("DescribeStream", input)
        do {
            return try StreamDescription(output.streamDescription, selection)
        } catch {
            throw ServiceClient.malformed("DescribeStream", error)
        }
    }

    package func shardIterator(
        _ stream: StreamARN, _ shard: ShardID, _ start: IteratorStart
    ) async throws(SourceError) -> ShardIterator {
        let (type, number): (String, SequenceNumber?) =
            switch start {
            case .trimHorizon: ("TRIM_HORIZON", nil)
            case .latest: ("LATEST", nil)
            case .at(let number): ("AT_SEQUENCE_NUMBER", number)
            case .after(let number): ("AFTER_SEQUENCE_NUMBER", number)
            }
        let input = GetShardIterator.Input(
            streamArn: "\(stream)", shardId: "\(shard)", shardIteratorType: type,
            sequenceNumber: number?.digits)
        let output: GetShardIterator.Output = try await client.call("GetShardIterator", input)
        return ShardIterator(output.shardIterator)
    }

    package func page(at iterator: ShardIterator) async throws(SourceError) -> Page {
        let input = GetRecords.Input(shardIterator: iterator.text, limit: Self.recordLimit)
        let body = try await client.call("GetRecords", JSONBody.encode(input))
        do {
            return try PageDecoder.decode(body)
        } catch {
            throw ServiceClient.malformed("GetRecords", error)
        }
    }
}

/// A member of an answer that has another form than the service's.
struct UnknownForm: Error, CustomStringConvertible {
    /// Which member, and what is odd about it.
    let description: String
}

extension StreamDescription {
    /// The walk's words for an answer.
    ///
    /// Emulators ignore a filter that they don't know and list everything, so what is no child of the shard
    /// that was asked about is left out here as well.
    init(
        _ answer: DescribeStream.Description, _ selection: ShardSelection
    ) throws(UnknownForm) {
        guard let status = StreamStatus(rawValue: answer.streamStatus) else {
            throw UnknownForm(
                description: "StreamStatus is \(answer.streamStatus.line(bytesMax: 100))")
        }
        var shards: [Shard] = []
        for shard in answer.shards { shards.append(try Shard(shard)) }
        var lastEvaluated = answer.lastEvaluatedShardId.map { ShardID($0) }
        if case .children(let parent) = selection {
            shards.removeAll { $0.parent != parent }
            lastEvaluated = nil
        }
        self.init(
            status: status, viewType: answer.streamViewType.flatMap(StreamViewType.init),
            keyAttributes: answer.keySchema?.names ?? [], shards: shards,
            lastEvaluated: lastEvaluated)
    }
}

extension Shard {
    fileprivate init(_ answer: DescribeStream.Shard) throws(UnknownForm) {
        self.init(
            id: ShardID(answer.shardId), parent: answer.parentShardId.map { ShardID($0) },
            start: try Self.number(answer.sequenceNumberRange?.startingSequenceNumber),
            end: try Self.number(answer.sequenceNumberRange?.endingSequenceNumber))
    }

    private static func number(_ text: String?) throws(UnknownForm) -> SequenceNumber? {
        guard let text else { return nil }
        guard let number = SequenceNumber(text) else {
            throw UnknownForm(description: "a shard's sequence number is no number")
        }
        return number
    }
}
