import AWS
import Foundation
import TestBed
import Testing

@testable import LocalStreams

/// boto3 and botocore against a running emulator: every operation, every error, every header.
@Suite struct ServerTests {
    private static func run(
        _ script: String, _ arguments: [String] = [], _ configuration: LocalStreams.Configuration
    ) async throws {
        let server = try await LocalStreams.start(configuration)
        do {
            _ = try await Python.run("Python/\(script)", [server.endpoint] + arguments)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    @Test(arguments: [
        "walkthrough.py", "tables.py", "items.py", "streams.py", "writes.py", "expiry.py",
    ])
    func `botocore takes every answer for one of AWS's`(script: String) async throws {
        try await Self.run(script, [], LocalStreams.Configuration(limits: .none))
    }

    @Test func `signatures are checked, and refused in the service's words`() async throws {
        let credentials = Credentials(
            accessKeyID: "LOCALSTREAMS", secretAccessKey: "local-secret", sessionToken: "a+token=")
        try await Self.run(
            "signatures.py", ["a+token="], LocalStreams.Configuration(credentials: credentials))
    }

    @Test func `iterators expire, shards roll over and records are trimmed on a fast clock`()
        async throws
    {
        try await Self.run(
            "ageing.py", [],
            LocalStreams.Configuration(
                partitions: 2, rolloverEvery: .milliseconds(400), speed: 9_000,
                retention: .seconds(3 * 60 * 60), limits: .none))
    }

    @Test func `calls beyond the budgets are refused in the service's words`() async throws {
        try await Self.run(
            "limits.py", [],
            LocalStreams.Configuration(
                limits: .init(describeStream: 1, listStreams: 1, getRecords: 1)))
    }

    @Test(arguments: [LocalStreams.ShardFilterSupport.ignored, .refused])
    func `endpoints without a filter of shards are imitated`(
        support: LocalStreams.ShardFilterSupport
    ) async throws {
        try await Self.run(
            "filter.py", [support.rawValue], LocalStreams.Configuration(shardFilter: support))
    }

    @Test func `every fault is what it is called`() async throws {
        typealias Step = LocalStreams.Faults.Step
        let front: [LocalStreams.Fault] = [
            .internalError, .unavailable, .reset, .cut, .trickle, .wrongChecksum, .throttled,
            .expiredToken, .clockSkew, .accessDenied,
        ]
        let script =
            front.map { Step($0, operations: ["ListTables"], count: 1) }
            + [.trimmed, .vanished].map { Step($0, operations: ["GetShardIterator"], count: 1) }
            + [.expiredIterator, .trimmed, .vanished].map {
                Step($0, operations: ["GetRecords"], count: 1)
            }
            + [
                (.reset, false), (.reset, true), (.internalError, false), (.internalError, true),
                (.unavailable, true),
            ].map { (fault: LocalStreams.Fault, isLate: Bool) in
                Step(fault, operations: ["PutItem"], count: 1, isLate: isLate)
            }
        try await Self.run(
            "faults.py", ["0.4"],
            LocalStreams.Configuration(
                faults: .init(trickle: .milliseconds(400), script: script)))
    }

    @Test func `every operation can be answered with every error, as botocore expects it`()
        async throws
    {
        typealias Step = LocalStreams.Faults.Step
        let faults: [LocalStreams.Fault] = [
            .internalError, .unavailable, .throttled, .expiredToken, .clockSkew, .accessDenied,
            .capacityExceeded, .requestLimit, .unknownKeys,
        ]
        let script =
            Operation.allCases.flatMap { operation in
                faults.map { Step($0, operations: [operation.name], count: 1) }
            }
            + [.trimmed, .vanished].map { Step($0, operations: ["GetShardIterator"], count: 1) }
            + [.tooManyReaders, .expiredIterator, .trimmed, .vanished].map {
                Step($0, operations: ["GetRecords"], count: 1)
            }
        try await Self.run(
            "errors.py", Operation.allCases.map(\.rawValue),
            LocalStreams.Configuration(
                limits: .init(describeStream: nil, listStreams: nil, getRecords: 5),
                faults: .init(script: script)))
    }

    @Test func `asking again is enough on a bad day`() async throws {
        var faults = LocalStreams.Faults.storm
        faults.trickle = .milliseconds(20)
        try await Self.run(
            "rough.py", [], LocalStreams.Configuration(limits: .none, faults: faults))
    }

    @Test func `replaced keys have expired`() async throws {
        let server = try await LocalStreams.start()
        server.replaceKeys(
            with: Credentials(accessKeyID: "SECOND", secretAccessKey: "second-secret"))
        do {
            _ = try await Python.run("Python/expired.py", [server.endpoint])
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    @Test func `a port that is taken is refused in words`() async throws {
        let server = try await LocalStreams.start()
        let port = try #require(server.endpoint.split(separator: ":").last.flatMap { UInt16($0) })
        await #expect(throws: ListenerError.self) {
            try await LocalStreams.start(LocalStreams.Configuration(port: port))
        }
        await server.stop()
        // Stopped twice is stopped; the port is free again.
        await server.stop()
        try await LocalStreams.start(LocalStreams.Configuration(port: port)).stop()
    }
}
