import Foundation
import Glibc
import TestBed
import Testing

// `shardwalk demo`: one command on an empty machine, which leaves it empty.
@Suite(.serialized) struct DemoTests {
    @Test(arguments: [1, 2] as [UInt64])
    func `it ends by itself and finds cache and table equal`(seed: UInt64) async throws {
        let place = try TemporaryDirectory()
        let demo = try await ShardwalkProcess.run(
            ["demo", "--seconds", "3", "--seed", "\(seed)"], environment: environment(place))
        #expect(demo.code == 0, "\(demo)")
        let verdict =
            /EQUAL: (\d+) items in the table, the same (\d+) in the cache, after \d+ writes/
        let last = try #require(demo.output.split(separator: "\n").last)
        let match = try #require(last.wholeMatch(of: verdict), "\(demo.output)")
        #expect(match.output.1 == match.output.2 && match.output.1 != "0")
        #expect(demo.log.isEmpty)
        #expect(try left(in: place).isEmpty)
    }

    @Test(arguments: [1, 2, 3, 4, 5])
    func `a signal at any moment ends its redis-server too and exits 75`(
        moment: Int
    ) async throws {
        let (folder, place) = (try TemporaryDirectory(), try TemporaryDirectory())
        let demo = try ShardwalkProcess(
            ["demo", "--seconds", "60", "--log"], environment: environment(place), in: folder)
        try await wait {
            switch moment {
            // Its redis-server has a folder, has a process, is connected to; there are writes; the walk is well under way.
            case 1: try !left(in: place).isEmpty
            case 2: try servers(in: place).count == 1
            case 3: demo.log.contains("Connected to Redis")
            case 4: demo.log.contains("shard opened")
            default: demo.log.contains("shard closed")
            }
        }
        demo.signal([SIGTERM, SIGINT, SIGHUP][moment % 3])
        #expect(try await demo.exitCode() == 75, "\(demo.log)\(demo.output)")
        #expect(demo.log.contains("the demo was stopped before its end"))
        #expect(try servers(in: place).isEmpty)
        #expect(try left(in: place).isEmpty)
    }

    /// What is slow to remove leaves an orderly end the time to come in between: its write fails with the server.
    @Test(arguments: [0, 10_000])
    func `two signals end it at once, its redis-server too`(files: Int) async throws {
        let (folder, place) = (try TemporaryDirectory(), try TemporaryDirectory())
        let demo = try ShardwalkProcess(
            ["demo", "--seconds", "60", "--log"], environment: environment(place), in: folder)
        try await demo.waitForLog("shard opened")
        let server = place.path(try #require(try left(in: place).first))
        for number in 0..<files { close(creat("\(server)/\(number)", 0o600)) }
        // A write that is under way is waited for, so the end is not reached in order before the second signal.
        try await Cache(atSocket: "\(server)/redis.sock").holdWrites()
        demo.signal(SIGINT)
        try await demo.waitForLog("stopping")
        demo.signal(SIGINT)
        #expect(try await demo.exitCode() == 128 + SIGINT)
        try await wait { try servers(in: place).isEmpty }
        #expect(try left(in: place).isEmpty)
    }

    @Test func `a redis-server that ends in the middle is an error, not a difference`()
        async throws
    {
        let (folder, place) = (try TemporaryDirectory(), try TemporaryDirectory())
        let demo = try ShardwalkProcess(
            ["demo", "--seconds", "2", "--log"], environment: environment(place), in: folder)
        try await demo.waitForLog("shard opened")
        kill(try #require(try servers(in: place).first), SIGKILL)
        #expect(try await demo.exitCode() == 69)
        #expect(demo.log.contains("Error: the demo could not go on: "))
    }

    @Test func `without a redis-server it says what to install`() async throws {
        let demo = try await ShardwalkProcess.run(
            ["demo", "--seconds", "1"], environment: ["PATH": "/nonexistent"])
        #expect(demo.code == 69)
        #expect(demo.log.contains("the demo's redis-server did not start"))
        #expect(demo.log.contains("Try: install redis-server"))
    }

    @Test(arguments: ["0", "3601", "-1", "soon"])
    func `a duration that makes no sense is a wrong command line`(seconds: String) async throws {
        #expect(try await ShardwalkProcess.run(["demo", "--seconds", seconds]).code == 64)
    }

    @Test(arguments: ["a b", "a\"b", "a#b", "a%b", "a?b", "a\\b"])
    func `an odd name of the temporary folder does no harm`(name: String) async throws {
        let place = try TemporaryDirectory()
        let odd = place.path(name)
        try FileManager.default.createDirectory(atPath: odd, withIntermediateDirectories: false)
        var environment = environment(place)
        environment["TMPDIR"] = odd
        let demo = try await ShardwalkProcess.run(
            ["demo", "--seconds", "1"], environment: environment)
        #expect(demo.code == 0, "\(demo)")
    }

    private func environment(_ place: TemporaryDirectory) -> [String: String] {
        var environment = ["TMPDIR": place.path]
        for name in ["PATH", "SHARDWALK_REDIS_SERVER"] {
            environment[name] = ProcessInfo.processInfo.environment[name]
        }
        return environment
    }

    /// What the demo has in its temporary folder.
    private func left(in place: TemporaryDirectory) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: place.path)
    }

    /// The servers that were started with a configuration in the folder; their titles hold their sockets.
    private func servers(in place: TemporaryDirectory) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
            .filter { id in
                let words = try? Data(contentsOf: URL(filePath: "/proc/\(id)/cmdline"))
                return words.map { String(decoding: $0, as: UTF8.self) }.map {
                    $0.contains("redis-server") && $0.contains(place.path)
                } ?? false
            }
    }
}
