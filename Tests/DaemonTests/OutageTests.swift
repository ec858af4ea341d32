import Foundation
import LocalRedis
import LocalStreams
import TestBed
import Testing

// Goal: servers may go away and come back; the daemon needs no restart and loses nothing. Method: a workload writes, a
// server is made ill until the daemon says that it has noticed, and mended again; at the end cache and table are equal.
@Suite(.serialized) struct OutageTests {
    /// What can happen to Redis, and back.
    enum Illness: String, CaseIterable, CustomTestStringConvertible {
        case restarted, killed, frozen, full
        var testDescription: String { rawValue }
    }

    /// Every write is on disk before it is acknowledged.
    private static let durable = ["appendonly yes", "appendfsync always"]

    @Test(arguments: Illness.allCases)
    func `Redis may be ill for a while`(illness: Illness) async throws {
        let configuration = LocalStreams.Configuration(
            partitions: 2, rolloverEvery: .seconds(1), seed: 21, credentials: Stage.keys)
        try await withStage(configuration, redisSettings: Self.durable) { stage, streams in
            async let table = Workload.write(to: streams.endpoint, seed: 21, seconds: 4)
            let daemon = try await follow(stage, streams)
            try await wait { (try? await stage.cache.count()) ?? 0 > 20 }
            try await makeIll(stage.redis, illness, daemon)
            try await stage.waitForCache(try await table)
            #expect(daemon.isRunning)
            try await daemon.stop()
        }
    }

    private func makeIll(
        _ redis: RedisServer, _ illness: Illness, _ daemon: ShardwalkProcess
    ) async throws {
        switch illness {
        case .restarted: try await redis.restart()
        case .killed:
            await redis.kill()
            try await daemon.waitForLog("No connection to Redis")
            try await redis.restart()
        case .frozen:
            redis.pause()
            // The time for which a pipeline may stand still is 1 s here.
            try await daemon.waitForLog("cache failed; trying again")
            redis.resume()
        case .full:
            #expect(redis.command("CONFIG SET maxmemory 1") == "+OK")
            try await daemon.waitForLog("OOM")
            #expect(redis.command("CONFIG SET maxmemory 0") == "+OK")
        }
    }

    @Test(arguments: [Proxy.Way.silent, .closed])
    func `the stream service may be away for a while`(way: Proxy.Way) async throws {
        let configuration = LocalStreams.Configuration(
            partitions: 2, rolloverEvery: .seconds(1), seed: 22, credentials: Stage.keys)
        try await withStage(configuration) { stage, streams in
            let proxy = try Proxy(to: try port(of: streams.endpoint))
            defer { proxy.end() }
            async let table = Workload.write(to: streams.endpoint, seed: 22, seconds: 4)
            let aws = """
                {"region": "us-east-1", "endpoint": "http://127.0.0.1:\(proxy.port)", "proxy": "",
                "requestTimeoutSeconds": 1}
                """
            let daemon = try await follow(stage, streams, ["aws": aws])
            try await wait { (try? await stage.cache.count()) ?? 0 > 20 }
            proxy.make(way)
            // Of a shard, or of the listing where both of them have just ended.
            try await daemon.waitForLog("failed; trying again")
            proxy.make(.open)
            try await stage.waitForCache(try await table)
            #expect(daemon.isRunning)
            try await daemon.stop()
        }
    }

    @Test func `a daemon that starts before its servers waits for them`() async throws {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            let proxy = try Proxy(to: try port(of: streams.endpoint))
            defer { proxy.end() }
            proxy.make(.closed)
            await stage.redis.kill()
            try stage.configure([
                "aws": """
                {"region": "us-east-1", "endpoint": "http://127.0.0.1:\(proxy.port)", "proxy": ""}
                """
            ])
            let daemon = try stage.start("run")
            try await daemon.waitForLog("looking up a stream failed; trying again")
            try await daemon.waitForLog("No connection to Redis")
            proxy.make(.open)
            try await daemon.waitForLog("the walk waits for them")
            try await stage.redis.restart()
            try await stage.waitForCache(try await table.items())
            try await daemon.stop()
        }
    }

    @Test func `a stream without news is asked no more often than the idle pause allows`()
        async throws
    {
        let quiet = LocalStreams.Configuration(partitions: 1, credentials: Stage.keys)
        try await withStage(quiet) { stage, streams in
            let table = try await stage.table()
            try await table.create()
            let proxy = try Proxy(to: try port(of: streams.endpoint))
            defer { proxy.end() }
            let pause = Duration.milliseconds(300)
            try stage.configure([
                "aws": """
                {"region": "us-east-1", "endpoint": "http://127.0.0.1:\(proxy.port)", "proxy": ""}
                """,
                "idle": #"{"minimumMilliseconds": 300, "maximumMilliseconds": 300}"#,
            ])
            // From before the first call to after the last one: a busy machine can only make this longer.
            let begun = ContinuousClock.now
            let daemon = try stage.start("run")
            let calls = 6
            try await wait { proxy.count >= calls }
            #expect(ContinuousClock.now - begun >= pause * (calls - 1))
            try await daemon.stop()
        }
    }

    /// Starts the daemon when there is a table.
    private func follow(
        _ stage: Stage, _ streams: LocalStreams, _ sections: [String: String] = [:]
    ) async throws -> ShardwalkProcess {
        try stage.configure(sections)
        try await wait { !streams.openShards(of: "items").isEmpty }
        return try stage.start("run")
    }

    private func port(of endpoint: String) throws -> Int {
        try #require(endpoint.split(separator: ":").last.flatMap { Int($0) })
    }
}
