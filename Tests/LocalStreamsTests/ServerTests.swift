import Foundation
import LocalStreams
import TestBed
import Testing

@Suite struct ServerTests {
    @Test func `boto3 writes to a table and reads every change back`() async throws {
        let server = try await LocalStreams.start()
        _ = try await Python.run("Python/walkthrough.py", [server.endpoint])
        await server.stop()
    }
}
