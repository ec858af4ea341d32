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

    @Test(arguments: ["walkthrough.py", "tables.py", "items.py", "streams.py"])
    func `botocore takes every answer for one of AWS's`(script: String) async throws {
        try await Self.run(script, [], LocalStreams.Configuration())
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
                retention: .seconds(3 * 60 * 60)))
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
