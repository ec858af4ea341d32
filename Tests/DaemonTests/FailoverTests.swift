import Foundation
import LocalRedis
import LocalStreams
import Synchronization
import TestBed
import Testing
import Walk

// Redis loses what it has acknowledged, or is another server from one moment to the next: the daemon notices by itself and
// writes again what is missing, from exactly where the cache stands.
@Suite(.serialized) struct FailoverTests {
    /// A primary with its replica, behind an address that can lead to either of them.
    private struct Pair {
        let primary: RedisServer
        let replica: RedisServer
        let address: Proxy

        /// The part of the configuration that names the address.
        var section: String {
            """
            {"url": "redis://walker:${REDIS_PASSWORD}@127.0.0.1:\(address.port)", \
            "commandTimeoutSeconds": 1}
            """
        }

        /// Waits until the replica has everything that the primary has.
        func waitForReplica() async throws {
            try await wait { replica.command("DBSIZE") == primary.command("DBSIZE") }
            try await wait {
                primary.command("WAIT 1 100") == ":1"
            }
        }

        /// Cuts the replication, without a word to whoever writes: the replica keeps what it has.
        func cut() { replica.command("REPLICAOF 127.0.0.1 1") }

        /// Makes the replica the primary, and lets the address lead there.
        func promote() throws {
            replica.command("REPLICAOF NO ONE")
            address.lead(to: Int(try #require(replica.port)))
        }
    }

    private func withPair(
        _ configuration: LocalStreams.Configuration = .init(
            partitions: 2, credentials: Stage.keys),
        _ body: (Stage, LocalStreams, Pair) async throws -> Void
    ) async throws {
        try await withStage(configuration) { stage, streams in
            let primary = stage.redis
            try await withRedisServer(tcp: true, settings: [Stage.redisUser]) { replica in
                replica.command("REPLICAOF 127.0.0.1 \(try #require(primary.port))")
                let address = try Proxy(to: Int(try #require(primary.port)))
                defer { address.end() }
                try await body(
                    stage, streams, Pair(primary: primary, replica: replica, address: address))
            }
        }
    }

    /// Something that happens once.
    private final class Flag: Sendable {
        private let state = Mutex(false)
        var isSet: Bool { state.withLock { $0 } }
        func set() { state.withLock { $0 = true } }
    }

    /// The last line of a log that holds a message, by its members.
    private func last(_ message: String, in log: String) throws -> [String: String] {
        let line = log.split(separator: "\n").last { $0.contains(message) }
        return try #require(line.flatMap { LogLine.members(of: $0) }, "no \(message): \(log)")
    }

    @Test func `acknowledged writes that a failover lost are written again, and counted`()
        async throws
    {
        try await withPair { stage, streams, pair in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<40)
            try stage.configure(["redis": pair.section])
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await pair.waitForReplica()

            pair.cut()
            try await table.put(40..<47)
            // The lineage goes on as well: parents and children are lost alike.
            streams.rollOver()
            try await table.put(47..<70)
            try await stage.waitForCache(try await table.items())
            try await daemon.waitForLog("shard closed", times: 2)
            // Forty items, the positions and the names of the streams.
            #expect(pair.replica.command("DBSIZE") == ":42")

            await pair.primary.kill()
            try pair.promote()
            let after = try Cache(pair.replica)
            try await wait(atMost: 30) { try await after.items() == table.items() }
            try await daemon.waitForLog("what the cache had lost is written again")
            let loss = try last("the cache lost changes that it had acknowledged", in: daemon.log)
            let recovery = try last("what the cache had lost is written again", in: daemon.log)
            #expect(recovery["records"] == "30", "\(recovery)")
            #expect(Int(recovery["shards"] ?? "") ?? 0 >= 2)
            #expect(loss["stream"] == recovery["stream"])
            try await table.put(60..<80)
            try await wait(atMost: 30) { try await after.items() == table.items() }
            await after.close()
            try await daemon.stop()
            let status = try await stage.run("status")
            #expect(!status.output.contains("refilling"))
        }
    }

    @Test func `no reader sees a value go back but by the failover itself`() async throws {
        try await withPair(
            .init(partitions: 2, rolloverEvery: .seconds(1), credentials: Stage.keys)
        ) { stage, _, pair in
            let table = try await stage.table()
            try await table.create()
            try stage.configure(["redis": pair.section])
            let daemon = try stage.start("run")
            let isOver = Flag()
            try await withThrowingTaskGroup { group in
                group.addTask {
                    defer { isOver.set() }
                    for version in 1...60 {
                        for item in 0..<5 {
                            try await table.put("item-\(item)", #""v":{"N":"\#(version)"}"#)
                        }
                        if version == 20 { try await pair.waitForReplica() }
                        if version == 21 { pair.cut() }
                        if version == 40 {
                            await pair.primary.kill()
                            try pair.promote()
                        }
                    }
                }
                for server in [pair.primary, pair.replica] {
                    group.addTask {
                        var newest = 0
                        while !isOver.isSet {
                            let text =
                                server.processID.flatMap { _ in server.command("GET item-0") } ?? ""
                            let version = text.firstMatch(of: /"v":\{"N":"(\d+)"/)
                                .flatMap { Int($0.output.1) }
                            if let version {
                                #expect(version >= newest)
                                newest = version
                            }
                            try await Task.sleep(for: .milliseconds(2))
                        }
                        #expect(newest > 10, "it has read something")
                    }
                }
                try await group.waitForAll()
            }
            let after = try Cache(pair.replica)
            try await wait(atMost: 30) { try await after.items() == table.items() }
            await after.close()
            try await daemon.stop()
        }
    }

    @Test func `a primary that becomes a replica is left for the one that the name leads to`()
        async throws
    {
        try await withPair { stage, _, pair in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<20)
            try stage.configure(["redis": pair.section])
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await pair.waitForReplica()
            pair.cut()
            try await table.put(20..<30)
            try await stage.waitForCache(try await table.items())
            // The connection stays; nothing more is written to the table.
            try pair.promote()
            pair.primary.command("REPLICAOF 127.0.0.1 \(try #require(pair.replica.port))")
            let after = try Cache(pair.replica)
            try await wait(atMost: 30) { try await after.items() == table.items() }
            try await daemon.waitForLog("READONLY")
            try await daemon.waitForLog("what the cache had lost is written again")
            let recovery = try last("what the cache had lost is written again", in: daemon.log)
            #expect(recovery["records"] == "10")
            await after.close()
            try await daemon.stop()
        }
    }

    @Test func `a server that comes back empty is filled again, and status says so meanwhile`()
        async throws
    {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<30)
            try stage.configure(streams: #"[{"table": "items", "start": "LATEST"}]"#)
            let daemon = try stage.start("run")
            // What is written before the shards are open is left out.
            var tries = 0
            try await wait {
                tries += 1
                try await table.put("item-first", #""v":{"N":"\#(tries)"}"#)
                return try await stage.cache.count() == 1
            }
            try await table.put(30..<50)
            try await stage.waitForCache(count: 21)
            streams.set(.init(chances: [.throttled: 1], operations: ["GetRecords"]))
            await stage.redis.kill()
            try await stage.redis.restart()
            try await daemon.waitForLog("the cache was emptied")
            try await wait {
                try await stage.run("status").output.contains("refilling: Redis had lost changes")
            }
            let json = try await stage.run("status", "--json", "--redis").output
            #expect(json.contains(#""refillingShards" : 2"#), "\(json)")
            streams.set(.none)
            // All that the stream keeps, which is more than was there.
            try await stage.waitForCache(try await table.items())
            try await daemon.waitForLog("what the cache had lost is written again")
            try await wait { try await !stage.run("status").output.contains("refilling") }
            try await daemon.stop()
        }
    }

    @Test func `a cache that is emptied while nothing happens is filled again`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<30)
            try stage.configure()
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await stage.cache.clear()
            try await stage.waitForCache(try await table.items())
            try await daemon.stop()
        }
    }

    @Test func `what follows an emptied cache is a matter of policy`() async throws {
        try await withStage { stage, _ in
            func section(_ policy: String) -> String {
                """
                {"url": "unix://walker:${REDIS_PASSWORD}@\(stage.redis.socketPath)", \
                "onCacheLoss": "\(policy)"}
                """
            }
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<30)
            try stage.configure(["redis": section("resume")])
            let resuming = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await stage.cache.clear()
            try await wait {
                stage.redis.command("KEYS shardwalk:*") != "*0"
            }
            try await table.put(30..<40)
            try await stage.waitForCache(count: 10)
            #expect(resuming.log.contains("is not filled again"))
            try await resuming.stop()

            try stage.configure(["redis": section("stop")])
            let stopping = try stage.start("run")
            try await stopping.waitForLog("shard opened")
            try await stage.cache.clear()
            #expect(try await stopping.exitCode() == 65)
            #expect(stopping.log.contains("it was emptied"))
            #expect(stopping.log.contains("redis.onCacheLoss"))
            // It stays so, until somebody decides.
            #expect(try await stage.start("run").exitCode() == 65)
            #expect(try await stage.run("replay").code == 0)
            #expect(try await stage.cache.items() == table.items())
        }
    }

    @Test func `without the file Redis is enough, and with it Redis wins`() async throws {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<30)
            try stage.configure()
            let first = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            streams.rollOver()
            try await table.put(30..<40)
            try await stage.waitForCache(try await table.items())
            let old = try Data(
                contentsOf: URL(filePath: stage.checkpointFolder + "/test.checkpoint.json"))
            try await table.put(40..<50)
            try await stage.waitForCache(try await table.items())
            try await first.stop()

            let checkpoint = stage.checkpointFolder + "/test.checkpoint.json"
            try old.write(to: URL(filePath: checkpoint))
            let status = try await stage.run("status", "--redis")
            #expect(status.output.contains("(ahead)"), "\(status.output)")
            #expect(status.output.contains("Redis is right"))
            let second = try stage.start("run")
            try await table.put(50..<55)
            try await stage.waitForCache(try await table.items())
            try await second.stop()
            #expect(try last("shardwalk ends", in: second.log)["records"] == "5")

            try FileManager.default.removeItem(atPath: checkpoint)
            let alone = try await stage.run("status", "--redis")
            #expect(alone.output.contains("Redis alone has the positions"), "\(alone.output)")
            let third = try stage.start("run")
            try await table.put(55..<60)
            try await stage.waitForCache(try await table.items())
            try await third.stop()
            #expect(try last("shardwalk ends", in: third.log)["records"] == "5")
        }
    }

    @Test func `without the file, a stream that the table had before is read to its end first`()
        async throws
    {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            let first = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await first.stop()
            // While nobody runs: the end of the old stream, something that no stream holds, and the new one.
            try await table.put(10..<20)
            try await table.switchStream(on: false)
            try await table.put(20..<21)
            try await table.switchStream(on: true)
            try await table.put(30..<40)
            try FileManager.default.removeItem(atPath: stage.checkpointFolder)
            try stage.configure(streams: #"[{"table": "items", "start": "LATEST"}]"#)
            let second = try stage.start("run")
            try await stage.waitForCache(count: 30)
            try await second.stop()
            #expect(second.log.contains("the old one is read to its end first"))
            #expect(second.log.contains("switched off and on"))
            #expect(stage.redis.command("SCARD shardwalk:{test}:streams") == ":2")
        }
    }

    @Test func `two that apply a stream under one name find out, and the older one ends`()
        async throws
    {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try stage.configure()
            let older = try stage.start("run")
            try await older.waitForLog("shard opened", times: 2)
            let folder = try TemporaryDirectory()
            let elsewhere = ["SHARDWALK_CHECKPOINT_DIRECTORY": folder.path("checkpoint")]
            let newer = try ShardwalkProcess(
                ["run", "--config", stage.configPath],
                environment: stage.environment.merging(elsewhere) { $1 },
                in: folder)
            try await newer.waitForLog("shard opened", times: 2)
            try await table.put(0..<30)
            #expect(try await older.exitCode() == 78)
            #expect(older.log.contains("another shardwalk applies this stream"))
            try await stage.waitForCache(try await table.items())
            try await table.put(20..<40)
            try await stage.waitForCache(try await table.items())
            try await newer.stop()
        }
    }

    @Test func `positions that are switched off leave Redis alone`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<30)
            let section = """
                {"url": "unix://walker:${REDIS_PASSWORD}@\(stage.redis.socketPath)", \
                "positions": false}
                """
            try stage.configure(["redis": section])
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            #expect(stage.redis.command("KEYS shardwalk:*") == "*0")
            let status = try await stage.run("status", "--redis")
            #expect(status.code == 78 && status.log.contains("redis.positions is false"))
            try await daemon.stop()
            // Switched on, they are taken from the file, and nothing is repeated.
            try stage.configure()
            let next = try stage.start("run")
            try await table.put(30..<35)
            try await stage.waitForCache(try await table.items())
            try await next.stop()
            #expect(try last("shardwalk ends", in: next.log)["records"] == "5")
            #expect(try await stage.run("status", "--redis").output.contains("same"))
        }
    }
}
