import Foundation
import TestBed
import Testing

/// `shardwalk localstreams`, as a user's own tests start it.
@Suite struct LocalStreamsCommandTests {
    private final class Anchor {}

    /// The binary beside the tests' own.
    private static var binary: String? {
        let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        // The tests are a program themselves, or are run by one of the toolchain's.
        return [own, Bundle(for: Anchor.self).bundleURL]
            .map { $0.deletingLastPathComponent().appending(path: "shardwalk").path }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    @Test func `what it prints is what a client needs, and a signal ends it`() async throws {
        _ = try await Python.run("Scripts/localstreams.py", [try #require(Self.binary)])
    }
}
