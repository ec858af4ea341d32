import Foundation
import LocalRedis
import LocalStreams
import TestBed
import Testing
import Walk

// `shardwalk replay`: everything is applied once, or it is said why not, and nothing is passed over.
@Suite(.serialized) struct ReplayTests {
    @Test func `it applies everything, exits 0, and run goes on from there`() async throws {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<40)
            streams.rollOver()
            try await table.put(40..<60)
            try stage.configure()
            let replay = try await stage.run("replay")
            #expect(replay.code == 0, "\(replay.log.suffix(2_000))")
            #expect(try await stage.cache.items() == table.items())
            #expect(try ended(replay.log)["records"] == "60")
            // Where nobody watches a line every ten seconds, one at the end, and the verdict. Shards that ended a moment
            // ago are waited for about as long.
            let line =
                /(shards (\d+)\/\d+ done  records \d+  \d+ records\/s  lag \S+( s)?\n)*shards (\d+)\/\4 done  records 60  \d+ records\/s  lag \S+( s)?\ndone: [^\n]+\n/
            #expect(replay.output.wholeMatch(of: line) != nil, "\(replay.output)")

            try await table.put(60..<70)
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await daemon.stop()
            #expect(try ended(daemon.log)["records"] == "10")
        }
    }

    @Test func `it begins at the oldest record, or where the checkpoint stands`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure(streams: #"[{"table":"items","start":"LATEST"}]"#)
            #expect(try ended(await stage.run("replay").log)["records"] == "10")
            try await table.put(10..<15)
            let rest = try await stage.run("replay", "--from", "checkpoint")
            #expect(rest.code == 0)
            #expect(try ended(rest.log)["records"] == "5")
            #expect(try await stage.cache.count() == 15)
            #expect(try await stage.run("replay").code == 0)
            #expect(try await stage.cache.items() == table.items())
        }
    }

    @Test func `told to stop it exits 75, and what it has done is not done again`() async throws {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<100)
            try stage.configure(["redis": slowRedis(stage)])
            streams.set(.init(chances: [.throttled: 1], operations: ["GetRecords"]))
            let replay = try stage.start("replay")
            try await replay.waitForLog("shard opened")
            // It answers, and takes no write.
            try await stage.cache.holdWrites { streams.set(.none) }
            replay.signal(SIGTERM)
            try await replay.waitForLog("stopping")
            #expect(stage.redis.command("CLIENT UNPAUSE") == "+OK")
            #expect(try await replay.exitCode() == 75)
            #expect(replay.log.contains("replay --from checkpoint goes on"))
            let done = try #require(try ended(replay.log)["records"].flatMap { Int($0) })
            try await expectCheckpointIsCache(stage, done)

            let rest = try await stage.run("replay", "--from", "checkpoint")
            #expect(rest.code == 0)
            #expect(try ended(rest.log)["records"] == "\(100 - done)")
            #expect(try await stage.cache.items() == table.items())
        }
    }

    @Test func `it does not wait for a Redis that is away or lets nobody in`() async throws {
        try await withStage { stage, _ in
            try await stage.table().create()
            try stage.configure([
                "redis": #"{"url": "redis://127.0.0.1:1"}"#
            ])
            #expect(try await stage.run("replay").code == 69)
            let denied = "unix://nobody:wrong@\(stage.redis.socketPath)"
            try stage.configure(["redis": #"{"url": "\#(denied)"}"#])
            #expect(try await stage.run("replay").code == 77)
        }
    }

    @Test func `a replay that fails at its start takes nothing from what is remembered`()
        async throws
    {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            let streams = #"[{"table":"items","start":"LATEST"},{"table":"missing"}]"#
            try stage.configure()
            #expect(try await stage.run("replay").code == 0)
            let before = try await stage.positions()
            try stage.configure(streams: streams)
            #expect(try await stage.run("replay").code == 78)
            #expect(try await stage.positions() == before)
        }
    }

    @Test func `a record that Redis refuses stops its shard, and is applied once it can be`()
        async throws
    {
        try await withStage(redisSettings: ["proto-max-bulk-len 1mb"]) { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            // 350 KB in the table; written as JSON.stringify does, six times as much.
            let text = String(repeating: "\\u0001", count: 350 << 10)
            try await table.put("item-large", #""text":{"S":"\#(text)"}"#)
            try await table.put(10..<20)
            streams.rollOver()
            try await table.put(20..<30)
            try stage.configure()

            let replay = try await stage.run("replay")
            #expect(replay.code == 65)
            #expect(replay.log.contains("shard stopped; its page is kept for the next start"))
            #expect(replay.log.contains("Redis refused MSET"))
            #expect(replay.log.contains("1 shard had to be left before the end"))
            #expect(!replay.log.contains("content-mark") && !replay.log.contains("item-large"))
            let status = try await stage.run("status")
            #expect(status.output.contains("stopped: the cache refuses the page"))
            let stopped = try #require(try stage.checkpoint()).streams.values
                .flatMap(\.shards.values).filter { $0.blocked != nil }
            #expect(stopped.count == 1 && stopped.allSatisfy { $0.position != .end })
            #expect(try await stage.cache.content()[Data("item-large".utf8)] == nil)

            // The same again while nothing has changed; and run goes on with the other shards.
            #expect(try await stage.run("replay", "--from", "checkpoint").code == 65)
            let daemon = try stage.start("run")
            try await daemon.waitForLog("shard stopped")
            try await daemon.stop()

            #expect(stage.redis.command("CONFIG SET proto-max-bulk-len 512mb") == "+OK")
            #expect(try await stage.run("replay", "--from", "checkpoint").code == 0)
            #expect(try await stage.cache.items() == table.items())
            #expect(try await !stage.run("status").output.contains("stopped"))
        }
    }

    /// A server that is waited for patiently, so that a stop finds the batch under way.
    private func slowRedis(_ stage: Stage) -> String {
        #"{"url": "unix://\#(stage.redis.socketPath)", "commandTimeoutSeconds": 15}"#
    }

    private func expectCheckpointIsCache(_ stage: Stage, _ records: Int) async throws {
        #expect(try await stage.cache.count() == records)
    }

    /// What the log says at the end of a run.
    private func ended(_ log: String) throws -> [String: String] {
        let line = try #require(log.split(separator: "\n").last { $0.contains("shardwalk ends") })
        return try #require(LogLine.members(of: line))
    }
}
