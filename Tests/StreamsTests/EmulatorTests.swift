import AWS
import Foundation
import LocalStreams
import Records
import Streams
import TestBed
import Testing
import Walk

/// The source against the emulator, which checks signatures, rolls shards over and forgets.
@Suite struct EmulatorTests {
    private struct Written: Decodable {
        let arn: String
        let changes: [Change]
    }

    private struct Change: Decodable {
        let name: String
    }

    private let emulator: LocalStreams

    init() async throws {
        let configuration = LocalStreams.Configuration(
            region: "eu-west-1", partitions: 2, credentials: Keys.writer)
        emulator = try await LocalStreams.start(configuration)
    }

    private func write(_ changes: Int) async throws -> Written {
        let output = try await Python.run(
            "Python/write_table.py", [emulator.endpoint, "\(changes)"])
        return try JSONDecoder().decode(Written.self, from: output)
    }

    private func failure<Success>(
        _ call: () async throws -> Success
    ) async throws -> SourceError {
        let error = await #expect(throws: SourceError.self) { _ = try await call() }
        return try #require(error)
    }

    // MARK: - Signatures

    @Test(arguments: [0, 3_600, -3_600, 86_400])
    func `a host whose clock is wrong is served all the same`(ahead: Double) async throws {
        let keys = Keys([Keys.writer], time: Date() + ahead)
        let error = try await failure {
            try await keys.tables(at: emulator.endpoint).stream(of: "none")
        }
        #expect(error.kind == .notFound)
    }

    @Test func `a wrong secret is refused`() async throws {
        let wrong = Credentials(accessKeyID: "id", secretAccessKey: "terces")
        let error = try await failure {
            try await Keys([wrong]).tables(at: emulator.endpoint).stream(of: "none")
        }
        #expect(error.kind == .denied)
        #expect(error.code == "InvalidSignatureException")
    }

    @Test func `unknown keys are replaced by newer ones`() async throws {
        let keys = Keys([Keys.first, Keys.writer])
        let error = try await failure {
            try await keys.tables(at: emulator.endpoint).stream(of: "none")
        }
        #expect(error.kind == .notFound)
    }

    // MARK: - Shards

    @Test func `every change is found in the shards and their children`() async throws {
        let written = try await write(200)
        emulator.rollOver()
        let keys = Keys([Keys.writer])
        let source = keys.streams(at: emulator.endpoint)
        let stream = try await keys.tables(at: emulator.endpoint).stream(of: "weather").arn
        #expect("\(stream)" == written.arn)

        let shards = try await source.describe(stream, .all(after: nil)).shards
        #expect(shards.count == 4)
        var records = 0
        for parent in shards where parent.parent == nil {
            #expect(parent.end != nil)
            records += try await drain(parent, of: stream, from: source)
            let children = try await source.describe(stream, .children(of: parent.id)).shards
            #expect(children.map(\.parent) == [parent.id])
        }
        #expect(records == written.changes.count)
    }

    /// Reads a closed shard from its start to its end, and returns how many records it had.
    private func drain(
        _ shard: Shard, of stream: StreamARN, from source: StreamsSource
    ) async throws -> Int {
        var count = 0
        var next: ShardIterator? = try await source.shardIterator(stream, shard.id, .trimHorizon)
        while let iterator = next {
            let page = try await source.page(at: iterator)
            count += page.records.count
            next = page.next
        }
        return count
    }

    @Test func `what has grown too old is told apart`() async throws {
        _ = try await write(10)
        let keys = Keys([Keys.writer])
        let source = keys.streams(at: emulator.endpoint)
        let stream = try await keys.tables(at: emulator.endpoint).stream(of: "weather").arn
        let shard = try #require(
            try await source.describe(stream, .all(after: nil)).shards.first)
        let start = try #require(shard.start)
        let iterator = try await source.shardIterator(stream, shard.id, .trimHorizon)

        emulator.advance(by: .seconds(16 * 60))
        let expired = try await failure { try await source.page(at: iterator) }
        #expect(expired.kind == .expiredIterator)

        let unknown = ShardID("shardId-00000001414562045508-2bac9cd2")
        let missing = try await failure {
            try await source.shardIterator(stream, unknown, .trimHorizon)
        }
        #expect(missing.kind == .notFound)

        emulator.rollOver()
        emulator.advance(by: .seconds(25 * 60 * 60))
        let trimmed = try await failure {
            try await source.shardIterator(stream, shard.id, .after(start))
        }
        #expect(trimmed.kind == .trimmed || trimmed.kind == .notFound)
    }
}
