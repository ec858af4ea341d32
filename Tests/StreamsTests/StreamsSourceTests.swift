import AWS
import Foundation
import Records
import Streams
import TestBed
import Testing
import Walk

@Suite struct StreamsSourceTests {
    private let arn: StreamARN

    init() throws {
        arn = try #require(
            StreamARN("arn:aws:dynamodb:eu-west-1:1:table/orders/stream/2015-05-11T21:21:33.291"))
    }

    /// Two generations of shards, as the service's own example has them.
    private static let description = Answer(
        body: #"""
            {"StreamDescription":{"StreamArn":"a","StreamLabel":"l","StreamStatus":"ENABLED",
            "StreamViewType":"NEW_IMAGE","CreationRequestDateTime":1.46480643E9,"TableName":"orders",
            "KeySchema":[{"AttributeName":"Time","KeyType":"RANGE"},
            {"AttributeName":"Place","KeyType":"HASH"}],"Shards":[
            {"ShardId":"shardId-1","SequenceNumberRange":{"StartingSequenceNumber":"20500000000000000910398",
            "EndingSequenceNumber":"20500000000000000910399"},"New":{"x":[1]}},
            {"ShardId":"shardId-2","ParentShardId":"shardId-1",
            "SequenceNumberRange":{"StartingSequenceNumber":"820400000000000001192334"}}],
            "LastEvaluatedShardId":"shardId-2"}}
            """#)

    @Test func `a page of shards is asked for and read`() async throws {
        let server = try await PythonServer.scripted(Self.description)
        let page = try await server.streams().describe(arn, .all(after: ShardID("shardId-0")))
        #expect(page.status == .enabled)
        #expect(page.viewType == .newImage)
        #expect(page.keyAttributes == ["Place", "Time"])
        #expect(page.lastEvaluated == ShardID("shardId-2"))
        let first = Shard(
            id: ShardID("shardId-1"), start: SequenceNumber("20500000000000000910398"),
            end: SequenceNumber("20500000000000000910399"))
        let second = Shard(
            id: ShardID("shardId-2"), parent: ShardID("shardId-1"),
            start: SequenceNumber("820400000000000001192334"))
        #expect(page.shards == [first, second])
        #expect(
            try await server.requests().first?.body
                == #"{"ExclusiveStartShardId":"shardId-0","Limit":100,"StreamArn":"\#(arn)"}"#)
    }

    @Test func `children are asked for by a filter, and what is no child is left out`() async throws
    {
        let server = try await PythonServer.scripted(Self.description)
        let page = try await server.streams().describe(arn, .children(of: ShardID("shardId-1")))
        #expect(page.shards.map(\.id) == [ShardID("shardId-2")])
        #expect(page.lastEvaluated == nil)
        #expect(
            try await server.requests().first?.body
                == #"{"ShardFilter":{"ShardId":"shardId-1","Type":"CHILD_SHARDS"},"StreamArn":"\#(arn)"}"#
        )
    }

    @Test func `a description in another form is a failure that passes`() async throws {
        let changes = [
            ("ENABLED", "MANY"), ("\"ENABLED\"", "7"), ("820400000000000001192334", "x"),
            ("\"Shards\"", "\"shards-\""), ("\"ShardId\":\"shardId-2\",", ""),
        ]
        let answers = changes.map { part, other in
            Answer(body: Self.description.body.replacing(part, with: other))
        }
        let server = try await PythonServer.scripted(answers)
        for change in changes {
            let error = await #expect(throws: SourceError.self) {
                try await server.streams().describe(arn, .all(after: nil))
            }
            #expect(error?.kind == .unavailable, "\(change)")
        }
    }

    @Test func `each start of an iterator is written as the service knows it`() async throws {
        let server = try await PythonServer.scripted(Answer(body: #"{"ShardIterator":"i/1"}"#))
        let source = server.streams()
        let number = try #require(SequenceNumber("20500000000000000910398"))
        for start in [IteratorStart.trimHorizon, .latest, .at(number), .after(number)] {
            #expect(
                try await source.shardIterator(arn, ShardID("shardId-1"), start)
                    == ShardIterator("i/1"))
        }
        let shard = #""ShardId":"shardId-1","ShardIteratorType""#
        let numbered = #""SequenceNumber":"20500000000000000910398","#
        #expect(
            try await server.requests().map(\.body) == [
                #"{\#(shard):"TRIM_HORIZON","StreamArn":"\#(arn)"}"#,
                #"{\#(shard):"LATEST","StreamArn":"\#(arn)"}"#,
                #"{\#(numbered)\#(shard):"AT_SEQUENCE_NUMBER","StreamArn":"\#(arn)"}"#,
                #"{\#(numbered)\#(shard):"AFTER_SEQUENCE_NUMBER","StreamArn":"\#(arn)"}"#,
            ])
    }

    // MARK: - Tables

    private func failure(_ server: PythonServer) async throws -> SourceError {
        let error = await #expect(throws: SourceError.self) {
            try await server.tables().stream(of: "orders")
        }
        return try #require(error)
    }

    @Test func `a table without a stream, or with one switched off, says how to switch it on`()
        async throws
    {
        let off = #","LatestStreamArn":"\#(arn)","StreamSpecification":{"StreamEnabled":false}"#
        for more in ["", off] {
            let server = try await PythonServer.scripted(
                Answer(body: #"{"Table":{"KeySchema":[]\#(more)}}"#))
            let error = try await failure(server)
            #expect(error.kind == .notFound)
            #expect(
                error.message.contains(
                    "aws dynamodb update-table --region eu-west-1 --table-name orders "
                        + "--stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE"))
        }
    }

    @Test func `a table that must not be described says what is needed`() async throws {
        let server = try await PythonServer.scripted(.error("AccessDeniedException"))
        let error = try await failure(server)
        #expect(error.kind == .denied)
        #expect(error.message.hasPrefix("Because."))
        #expect(error.message.contains("dynamodb:DescribeTable"))
    }
}
