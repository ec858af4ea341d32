import Foundation
import TestBed
import Testing

/// `shardwalk localstreams`, as a user's own tests start it.
@Suite struct LocalStreamsCommandTests {
    @Test func `what it prints is what a client needs, and a signal ends it`() async throws {
        _ = try await Python.run("Scripts/localstreams.py", [ShardwalkProcess.binary.path])
    }
}
