import AWS
import Foundation
import Records
import Streams
import TestBed
import Testing
import Walk

/// The three calls against moto's server, with boto3 on the writing side.
@Suite struct MotoTests {
    private struct Written: Decodable {
        let arn: String
        let changes: [Change]
    }

    private struct Change: Decodable {
        let name: String
        let key: [String: [String: String]]
        let image: [String: [String: String]]?
    }

    @Test func `what boto3 writes is found in the stream, from every kind of start`() async throws {
        let server = try await PythonServer.moto()
        let output = try await Python.run("Python/write_table.py", [server.url, "300"])
        let written = try JSONDecoder().decode(Written.self, from: output)
        let source = server.streams()

        let stream = try await server.tables().stream(of: "weather")
        #expect("\(stream.arn)" == written.arn)
        #expect(stream.viewType == .newAndOldImages)
        #expect(stream.keyAttributes == ["Place", "Time"])

        let description = try await source.describe(stream.arn, .all(after: nil))
        #expect(description.status == .enabled)
        let shard = try #require(description.shards.first)
        #expect(description.shards.count == 1)
        #expect(shard.end == nil)

        var position = IteratorStart.trimHorizon
        var found = 0
        while found < written.changes.count {
            let iterator = try await source.shardIterator(stream.arn, shard.id, position)
            let page = try await source.page(at: iterator)
            #expect(page.next != nil)
            try #require(!page.records.isEmpty)
            for record in page.records {
                try compare(record, of: page, with: written.changes[found])
                found += 1
            }
            let last = try #require(page.records.last.flatMap { page.sequenceNumber(of: $0) })
            position = .after(last)
        }
        let end = try await source.shardIterator(stream.arn, shard.id, .latest)
        let rest = try await source.page(at: end)
        #expect(rest.records.isEmpty)
        #expect(rest.next != nil)
    }

    private func compare(_ record: Record, of page: Page, with change: Change) throws {
        func value(_ range: ByteRange) throws -> [String: [String: String]] {
            try JSONDecoder().decode(
                [String: [String: String]].self, from: Data(page.bytes[range.indices]))
        }
        let names: [Record.Operation: String] = [
            .insert: "INSERT", .modify: "MODIFY", .remove: "REMOVE",
        ]
        #expect(names[record.operation] == change.name)
        #expect(try value(record.keys) == change.key)
        #expect(try record.newImage.map(value) == change.image)
        #expect(page.sequenceNumber(of: record) != nil)
        #expect(record.creationTime != nil)
    }

    @Test func `a missing table and a missing stream are told apart`() async throws {
        let server = try await PythonServer.moto()
        _ = try await Python.run("Python/write_table.py", [server.url, "0"])
        let missing = await #expect(throws: SourceError.self) {
            try await server.tables().stream(of: "nowhere")
        }
        #expect(missing?.kind == .notFound)
        #expect(missing?.message.contains("there is no table nowhere in eu-west-1") == true)
        let quiet = await #expect(throws: SourceError.self) {
            try await server.tables().stream(of: "quiet")
        }
        #expect(quiet?.kind == .notFound)
        #expect(quiet?.message.contains("--table-name quiet") == true)
    }
}
