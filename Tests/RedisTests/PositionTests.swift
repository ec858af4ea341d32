import Foundation
import LocalRedis
import Records
import TestBed
import Testing
import Walk

@testable import Redis

/// Positions in Redis: they are written with their batch, or neither is, and nobody else's go unnoticed.
struct PositionTests {
    private let stream: StreamARN
    private let key = "shardwalk:{cache}:2026-01-01T00:00:00.000"
    private let shard = ShardID("shardId-00000001414562045508-2bac9cd2")

    init() throws {
        stream = try #require(
            StreamARN(
                "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
            ))
    }

    private func after(_ number: Int) throws -> Position {
        .after(try #require(SequenceNumber("4000000000000000\(100_000 + number)")))
    }

    private func step(_ from: Position, _ to: Position, era: Int) -> Step {
        Step(of: shard, in: stream, from: from, to: to, era: era)
    }

    private var beginning: Checkpoint.Stream {
        Checkpoint.Stream(beginning: .init(time: 1_767_323_045.5, leftOutBefore: 1_767_322_745.5))
    }

    /// How many bytes the server uses.
    private func usedMemory(_ sink: RedisSink) async throws -> Int {
        let info = try await sink.replies(to: [["INFO", "memory"]])[0].text
        let field = info?.split(separator: "\r\n").first { $0.hasPrefix("used_memory:") }
        return try #require(Int(field?.split(separator: ":").last ?? ""))
    }

    /// Runs `body` with a sink that holds positions.
    private func withPositions<Result>(
        _ server: RedisServer, log: LogRecord = LogRecord(),
        _ body: (RedisSink) async throws -> Result
    ) async throws -> Result {
        try await withSink(server.url, log: log, { $0.positionsName = "cache" }, body)
    }

    @Test func `a batch and its position are written together and read back`() async throws {
        try await withRedisServer { server in
            try await withPositions(server) { sink in
                let empty = try await sink.memory(of: stream)
                #expect(empty.beginning == nil && empty.positions.isEmpty && !empty.isEvicted)
                try await sink.establish(stream, beginning, era: empty.era)
                try await sink.apply(
                    changes([("a", "1"), ("b", nil)]),
                    step(.trimHorizon, try after(1), era: empty.era))
                try await sink.apply(
                    changes([("a", "2"), ("c", "2")]),
                    step(try after(1), try after(2), era: empty.era))
                #expect(server.command("HGET \(key) \(shard)") == "4000000000000000100002")
                #expect(server.command("GET a") == "2")
                let memory = try await sink.memory(of: stream)
                #expect(memory.beginning == beginning.beginning)
                #expect(memory.positions == [shard: try after(2)])
                try await sink.apply(
                    changes([(String, String?)]()), step(try after(2), .end, era: memory.era))
                #expect(server.command("HGET \(key) \(shard)") == "SHARD_END")
                try await sink.forget([shard], of: stream, era: memory.era)
                #expect(server.command("HEXISTS \(key) \(shard)") == ":0")
            }
            // The next process finds the same, and is known to be another one.
            try await withPositions(server) { sink in
                let memory = try await sink.memory(of: stream)
                #expect(memory.beginning == beginning.beginning && memory.positions.isEmpty)
            }
        }
    }

    @Test func `a batch that is refused moves nothing`() async throws {
        let settings = ["user narrow on >hush ~mine:* ~shardwalk:* +@all"]
        try await withRedisServer(settings: settings) { server in
            let address = "unix://narrow:hush@\(server.socketPath)"
            try await withSink(address, { $0.positionsName = "cache" }) { sink in
                let era = try await sink.memory(of: stream).era
                try await sink.establish(stream, beginning, era: era)
                let error = await #expect(throws: SinkError.self) {
                    try await sink.apply(
                        changes([("mine:a", "1"), ("yours", "1")]),
                        step(.trimHorizon, try after(1), era: era))
                }
                #expect(error?.kind == .denied)
                #expect(error?.message.contains("MSET (NOPERM") == true)
                #expect(server.command("HEXISTS \(key) \(shard)") == ":0")
                #expect(server.command("EXISTS mine:a") == ":0")
                server.command("CONFIG SET maxmemory 1")
                let full = await #expect(throws: SinkError.self) {
                    try await sink.apply(
                        changes([("mine:a", "1")]), step(.trimHorizon, try after(1), era: era))
                }
                #expect(full?.kind == .full && full?.message.contains("OOM") == true)
                server.command("CONFIG SET maxmemory 0")
                try await sink.apply(
                    changes([("mine:a", "1")]), step(.trimHorizon, try after(1), era: era))
                #expect(server.command("EXISTS mine:a") == ":1")
            }
        }
    }

    @Test func `after a reconnection nothing is written before the positions were read`()
        async throws
    {
        try await withRedisServer { server in
            try await withPositions(server) { sink in
                let era = try await sink.memory(of: stream).era
                try await sink.establish(stream, beginning, era: era)
                server.command("CLIENT KILL TYPE normal")
                // The batch that finds the connection lost, and all that come later.
                for _ in 0..<2 {
                    try await wait {
                        do throws(SinkError) {
                            try await sink.apply(
                                changes([("a", "1")]), step(.trimHorizon, try! after(1), era: era))
                            return false
                        } catch {
                            return error.kind == .outdated
                        }
                    }
                }
                #expect(server.command("EXISTS a") == ":0")
                let memory = try await sink.memory(of: stream)
                #expect(memory.era > era)
                try await sink.apply(
                    changes([("a", "1")]), step(.trimHorizon, try after(1), era: memory.era))
                await #expect(throws: SinkError.self) { try await sink.beat(stream, era: era) }
                try await sink.beat(stream, era: memory.era)
            }
        }
    }

    @Test(arguments: ["DEL", "HDEL"])
    func `a position that is missing is told, by a batch and by the beat`(command: String)
        async throws
    {
        try await withRedisServer { server in
            try await withPositions(server) { sink in
                let era = try await sink.memory(of: stream).era
                try await sink.establish(stream, beginning, era: era)
                try await sink.apply(
                    changes([("a", "1")]), step(.trimHorizon, try after(1), era: era))
                try await sink.beat(stream, era: era)
                server.command(command == "DEL" ? "DEL \(key)" : "HDEL \(key) \(shard)")
                if command == "DEL" {
                    let silence = await #expect(throws: SinkError.self) {
                        try await sink.beat(stream, era: era)
                    }
                    #expect(silence?.kind == .outdated)
                }
                let error = await #expect(throws: SinkError.self) {
                    try await sink.apply(
                        changes([("a", "2")]), step(try after(1), try after(2), era: era))
                }
                #expect(error?.kind == .outdated)
                let memory = try await sink.memory(of: stream)
                #expect((memory.beginning == nil) == (command == "DEL"))
            }
        }
    }

    @Test func `whoever writes the same positions is found out`() async throws {
        try await withRedisServer { server in
            try await withPositions(server) { older in
                let era = try await older.memory(of: stream).era
                try await older.establish(stream, beginning, era: era)
                try await older.apply(
                    changes([("a", "1")]), step(.trimHorizon, try after(1), era: era))
                // By hand, over a connection that nobody knows of.
                server.command("HSET \(key) \(shard) 5000000000000000000000")
                let error = await #expect(throws: SinkError.self) {
                    try await older.apply(
                        changes([("a", "2")]), step(try after(1), try after(2), era: era))
                }
                #expect(error?.kind == .foreign)
                #expect(error?.message.contains("under the same name") == true)

                // By a newer process, which ends the connection of the older one.
                try await withPositions(server) { newer in
                    _ = try await newer.memory(of: stream)
                    try await wait {
                        do throws(SinkError) {
                            _ = try await older.memory(of: stream)
                            return false
                        } catch {
                            return error.kind == .foreign
                        }
                    }
                    _ = try await newer.memory(of: stream)
                    try await newer.beat(stream, era: 1)
                }
            }
        }
    }

    @Test func `of two that take a stream over at the same moment one is left`() async throws {
        try await withRedisServer { server in
            try await withPositions(server) { one in
                try await withPositions(server) { other in
                    // Both have read who was there before; neither can say that it is the next one.
                    server.command("CLIENT PAUSE 60000 WRITE")
                    async let memory = one.memory(of: stream)
                    async let otherMemory = other.memory(of: stream)
                    try await wait {
                        server.command("INFO clients")?.contains("blocked_clients:2") == true
                    }
                    server.command("CLIENT UNPAUSE")
                    _ = try? await (memory, otherMemory)
                    var kinds: [SinkError.Kind?] = []
                    for sink in [one, other] {
                        var kind: SinkError.Kind?
                        try await wait {
                            do throws(SinkError) {
                                _ = try await sink.memory(of: stream)
                                kind = nil
                            } catch {
                                kind = error.kind
                            }
                            return kind != .unavailable
                        }
                        kinds.append(kind)
                    }
                    #expect(kinds.contains(nil) && kinds.contains(.foreign))
                }
            }
        }
    }

    @Test func `a claim whose answer was lost is this process's own`() async throws {
        try await withRedisServer(tcp: true) { server in
            let proxy = try Proxy(to: Int(try #require(server.port)))
            defer { proxy.end() }
            try await withSink(
                "redis://127.0.0.1:\(proxy.port)", { $0.positionsName = "cache" }
            ) { sink in
                let era = try await sink.memory(of: stream).era
                try await sink.establish(stream, beginning, era: era)
                for _ in 0..<5 {
                    // As if it had been carried out, and the connection been lost before the answer.
                    server.command("HINCRBY \(key) generation 5000")
                    proxy.make(.closed)
                    proxy.make(.open)
                    try await wait {
                        do throws(SinkError) {
                            let memory = try await sink.memory(of: stream)
                            try await sink.beat(stream, era: memory.era)
                            return true
                        } catch {
                            #expect(error.kind != .foreign)
                            return false
                        }
                    }
                }
            }
        }
    }

    @Test func `a process that was replaced is told by its beat, where connections can't be ended`()
        async throws
    {
        let settings = ["user walker on >hush ~* +@all -client|kill"]
        try await withRedisServer(settings: settings) { server in
            let address = "unix://walker:hush@\(server.socketPath)"
            func withWalker(_ body: (RedisSink) async throws -> Void) async throws {
                try await withSink(address, { $0.positionsName = "cache" }, body)
            }
            try await withWalker { older in
                let era = try await older.memory(of: stream).era
                try await older.establish(stream, beginning, era: era)
                try await older.beat(stream, era: era)
                try await withWalker { newer in
                    let other = try await newer.memory(of: stream)
                    let error = await #expect(throws: SinkError.self) {
                        try await older.beat(stream, era: era)
                    }
                    #expect(error?.kind == .foreign)
                    try await newer.beat(stream, era: other.era)
                    // Whoever was replaced leaves no trace when it finds out.
                    await #expect(throws: SinkError.self) { _ = try await older.memory(of: stream) }
                    try await newer.beat(stream, era: other.era)
                }
            }
        }
    }

    @Test func `a full server takes what removes, and has room for the rest then`() async throws {
        try await withRedisServer { server in
            try await withPositions(server) { sink in
                let era = try await sink.memory(of: stream).era
                try await sink.establish(stream, beginning, era: era)
                let value = String(repeating: "x", count: 2 << 20)
                try await sink.apply(
                    changes([("large", value), ("small", "v")]),
                    step(.trimHorizon, try after(1), era: era))
                server.command("CONFIG SET maxmemory \(try await usedMemory(sink) - 100_000)")
                let batch = changes([("large", nil), ("new", "v")])
                let error = await #expect(throws: SinkError.self) {
                    try await sink.apply(batch, step(try after(1), try after(2), era: era))
                }
                #expect(error?.kind == .full)
                #expect(server.command("EXISTS large") == ":0")
                #expect(server.command("EXISTS new") == ":0")
                #expect(server.command("HGET \(key) \(shard)") == "4000000000000000100001")
                try await sink.apply(batch, step(try after(1), try after(2), era: era))
                #expect(server.command("EXISTS new") == ":1")
            }
        }
    }

    @Test func `a server in cluster mode is refused in words`() async throws {
        // Its own choice, ten thousand more than its port, may be no port at all.
        let bus = try ClosedPort().number
        let settings = ["cluster-enabled yes", "cluster-port \(bus)"]
        try await withRedisServer(tcp: true, settings: settings) { server in
            try await withPositions(server) { sink in
                let error = await #expect(throws: SinkError.self) {
                    _ = try await sink.memory(of: stream)
                }
                #expect(error?.kind == .denied)
                #expect(error?.message.contains("cluster mode") == true)
            }
        }
    }

    @Test func `streams are known by name, and kept for a while when they are over`() async throws {
        try await withRedisServer { server in
            try await withPositions(server) { sink in
                #expect(try await sink.streams().isEmpty)
                let era = try await sink.memory(of: stream).era
                try await sink.establish(stream, beginning, era: era)
                #expect(try await sink.streams() == [stream])
                #expect(try await sink.positions(of: stream).beginning == beginning.beginning)
                #expect(server.command("TTL \(key)") == ":-1")
                try await sink.expire(stream, era: era)
                let left = try #require(
                    server.command("TTL \(key)").flatMap { Int($0.dropFirst()) })
                #expect(left > 71 * 3_600)
                #expect(try await sink.memory(of: stream).beginning == beginning.beginning)
            }
        }
    }

    @Test func `numbers never go back, whatever Redis loses`() async throws {
        try await withRedisServer { server in
            try await withPositions(server) { sink in
                var last = 0
                func generation() throws -> Int {
                    try #require(server.command("HGET \(key) generation").flatMap { Int($0) })
                }
                for loss in ["PING", "FLUSHALL", "HSET \(key) generation 12 owner other", "PING"] {
                    server.command(loss)
                    let era = try await sink.memory(of: stream).era
                    try await sink.establish(stream, beginning, era: era)
                    #expect(try generation() > last)
                    last = try generation()
                    try await sink.beat(stream, era: era)
                }
            }
        }
    }

    @Test func `what one stream's beat finds is no other stream's eviction`() async throws {
        let before = KnownPositions.Room(server: "a", evictedKeys: 3, keys: 100)
        func now(_ evicted: Int, _ keys: Int64, _ server: Substring? = "a") -> KnownPositions.Room {
            KnownPositions.Room(server: server, evictedKeys: evicted, keys: keys)
        }
        #expect(now(4, 99).hasEvicted(since: before))
        #expect(!now(3, 99).hasEvicted(since: before))
        #expect(!now(4, 10).hasEvicted(since: before))
        #expect(!now(4, 99, "b").hasEvicted(since: before))
        #expect(!now(4, 99, nil).hasEvicted(since: before))
    }

    @Test
    func `what an earlier connection has sent is not carried out after the positions were read`()
        async throws
    {
        try await withRedisServer(tcp: true) { server in
            try await withSink(
                server.url,
                {
                    $0.positionsName = "cache"
                    $0.commandTimeout = .milliseconds(200)
                    $0.connectTimeout = .milliseconds(200)
                }
            ) { sink in
                var memory = try await sink.memory(of: stream)
                try await sink.establish(stream, beginning, era: memory.era)
                var position = Position.trimHorizon
                // So long that the server reads it in many steps, while it serves others.
                let filler = String(repeating: "x", count: 600_000)
                for round in 1...6 {
                    let next = try after(round)
                    server.pause()
                    await #expect(throws: SinkError.self) {
                        try await sink.apply(
                            changes([("k", "\(round)"), ("filler", filler)]),
                            step(position, next, era: memory.era))
                    }
                    server.resume()
                    try await wait {
                        do throws(SinkError) {
                            memory = try await sink.memory(of: stream)
                            return true
                        } catch {
                            #expect(error.kind == .unavailable)
                            return false
                        }
                    }
                    // Either both are there or neither is, and that stays so.
                    position = memory.positions[shard] ?? .trimHorizon
                    #expect(position == .trimHorizon || position.hasBegun)
                    let value = server.command("GET k")
                    for _ in 0..<20 { #expect(server.command("GET k") == value) }
                    let isThere = position == next
                    #expect((value == "\(round)") == isThere)
                    if !isThere {
                        try await sink.apply(
                            changes([("k", "\(round)")]), step(position, next, era: memory.era))
                        position = next
                    }
                }
            }
        }
    }

    @Test func `eviction of the positions is told from a cache that was emptied`() async throws {
        let settings = ["maxmemory-policy allkeys-random"]
        try await withRedisServer(settings: settings) { server in
            try await withPositions(server) { sink in
                let era = try await sink.memory(of: stream).era
                try await sink.establish(stream, beginning, era: era)
                let filler = changes(
                    (0..<200).map { ("k\($0)", String(repeating: "x", count: 10_000)) })
                try await sink.apply(filler)
                // The server makes room for a tenth of its keys, until the hash is among them.
                while server.command("EXISTS \(key)") == ":1" {
                    try await sink.apply(filler)
                    try await sink.beat(stream, era: era)
                    server.command("CONFIG SET maxmemory \(try await usedMemory(sink) - 200_000)")
                    server.command("SET more x")
                    server.command("CONFIG SET maxmemory 0")
                }
                let evicted = try await sink.memory(of: stream)
                #expect(evicted.beginning == nil && evicted.isEvicted)

                try await sink.establish(stream, beginning, era: era)
                try await sink.beat(stream, era: era)
                server.command("FLUSHALL")
                let flushed = try await sink.memory(of: stream)
                #expect(flushed.beginning == nil && !flushed.isEvicted)
            }
        }
    }

    @Test func `a hash that is somebody else's is left alone, in words`() async throws {
        try await withRedisServer { server in
            try await withPositions(server) { sink in
                server.command("SET \(key) text")
                let text = await #expect(throws: SinkError.self) {
                    _ = try await sink.memory(of: stream)
                }
                #expect(text?.message.contains("WRONGTYPE") == true)
                server.command("DEL \(key)")
                server.command("HSET \(key) shardId-1 monday")
                let words = await #expect(throws: SinkError.self) {
                    _ = try await sink.memory(of: stream)
                }
                #expect(words?.kind == .denied)
                #expect(words?.message.contains("its field shardId-1 holds no position") == true)
                let other = stream.description.replacing("table/orders", with: "table/users")
                server.command("DEL \(key)")
                let origin = #"{"arn":"\#(other)","beginning":{"time":1}}"#
                server.command(
                    "HSET \(key) stream \"\(origin.replacing("\"", with: "\\\""))\"")
                let label = await #expect(throws: SinkError.self) {
                    _ = try await sink.memory(of: stream)
                }
                #expect(label?.message.contains("it belongs to \(other)") == true)
            }
        }
    }

    @Test func `thousands of positions are written and read whole`() async throws {
        try await withRedisServer { server in
            try await withPositions(server) { sink in
                let era = try await sink.memory(of: stream).era
                var memory = beginning
                for number in 0..<5_000 {
                    memory.shards[ShardID("shardId-\(number)")] = Checkpoint.Shard(
                        position: number.isMultiple(of: 2) ? .end : try after(number))
                }
                memory.shards[shard] = Checkpoint.Shard(position: .trimHorizon)
                try await sink.establish(stream, memory, era: era)
                let read = try await sink.memory(of: stream)
                memory.shards[shard] = nil
                #expect(read.positions == memory.shards.mapValues(\.position))
            }
        }
    }
}
