import AWS
import FoundationEssentials
import TestBed
import Testing

@testable import LocalStreams

/// Many readers at once, as a daemon with a thousand shards is one.
@Suite struct CrowdTests {
    /// A signed client of one emulator.
    private struct Caller {
        let client: HTTPClient
        let endpoint: String
        let signer: Signer

        func call(_ operation: Operation, _ body: String) async throws -> JSON {
            var request = HTTPRequest(
                method: "POST", url: "\(endpoint)/",
                headers: [("x-amz-target", operation.rawValue)], body: Array(body.utf8))
            request.timeout = .seconds(120)
            signer.sign(&request, at: Date())
            let answer = try await client.send(request)
            try #require(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
            return try JSONParser.parse(answer.body)
        }

        /// The keys of all records of a shard, until it is closed.
        func keys(_ arn: String, _ shard: String) async throws -> [String] {
            var keys: [String] = []
            var next = try await call(
                .getShardIterator,
                #"{"StreamArn":"\#(arn)","ShardId":"\#(shard)","ShardIteratorType":"TRIM_HORIZON"}"#
            )["ShardIterator"]?.string
            while let iterator = next {
                let page = try await call(.getRecords, #"{"ShardIterator":"\#(iterator)"}"#)
                keys +=
                    page["Records"]?.array?.compactMap {
                        $0["dynamodb"]?["Keys"]?["id"]?["N"]?.string
                    } ?? []
                next = page["NextShardIterator"]?.string
            }
            return keys
        }
    }

    @Test func `a thousand tasks read a thousand shards, and each change comes to one of them`()
        async throws
    {
        let configuration = LocalStreams.Configuration(partitions: 1_000)
        let server = try await LocalStreams.start(configuration)
        let client = HTTPClient()
        let caller = Caller(
            client: client, endpoint: server.endpoint,
            signer: Signer(
                credentials: configuration.credentials, region: configuration.region,
                service: "dynamodb"))
        let table = try await caller.call(
            .createTable,
            #"""
            {"TableName":"items","BillingMode":"PAY_PER_REQUEST",
             "KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
             "AttributeDefinitions":[{"AttributeName":"id","AttributeType":"N"}],
             "StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}}
            """#)
        let arn = try #require(table["TableDescription"]?["LatestStreamArn"]?.string)
        let shards = server.openShards(of: "items")
        #expect(shards.count == 1_000)
        let read = try await withThrowingTaskGroup(of: [String].self) { group in
            group.addTask {
                for batch in 0..<16 {
                    let puts = (0..<25).map {
                        #"{"PutRequest":{"Item":{"id":{"N":"\#(batch * 25 + $0)"}}}}"#
                    }
                    _ = try await caller.call(
                        .batchWriteItem,
                        #"{"RequestItems":{"items":[\#(puts.joined(separator: ","))]}}"#)
                }
                let rollover = HTTPRequest(method: "POST", url: "\(server.endpoint)/rollover")
                #expect(try await client.send(rollover).status == 200)
                return []
            }
            for shard in shards {
                group.addTask { try await caller.keys(arn, shard) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(read.count == 400)
        #expect(Set(read).count == 400)
        let counts = try await client.send(
            HTTPRequest(method: "GET", url: "\(server.endpoint)/calls"))
        let calls = try JSONParser.parse(counts.body)
        #expect(calls["GetShardIterator"] == .integer(1_000))
        #expect(calls["BatchWriteItem"] == .integer(16))
        #expect(calls["Scan"] == nil)
        await client.shutdown()
        await server.stop()
    }

    @Test func `a server that stops cuts those who wait`() async throws {
        let server = try await LocalStreams.start()
        let client = HTTPClient()
        let request = HTTPRequest(method: "GET", url: "\(server.endpoint)/")
        #expect(try await client.send(request).status == 200)
        // The kept connection is idle now, and would stay for minutes.
        await server.stop()
        await #expect(throws: HTTPError.self) { try await client.send(request) }
        await client.shutdown()
    }
}
