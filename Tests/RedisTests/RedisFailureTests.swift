import LocalRedis
import Records
import Redis
import TestBed
import Testing
import Walk

/// What the sink does with a server that is ill: nothing is lost, nothing goes back in time.
struct RedisFailureTests {
    /// Ten writers that change their own keys again and again, as shards do, until `trouble` is over.
    ///
    /// Returns what must be in the cache then.
    private func write(
        to sink: RedisSink, during trouble: @escaping @Sendable () async throws -> Void
    ) async throws -> [[UInt8]: [UInt8]] {
        let end = Counter()
        return try await withThrowingTaskGroup(of: [[UInt8]: [UInt8]].self) { group in
            group.addTask {
                try await trouble()
                end.add()
                return [:]
            }
            for writer in 0..<10 {
                group.addTask {
                    var round = 0
                    var model: [[UInt8]: [UInt8]] = [:]
                    while end.value == 0 {
                        round += 1
                        // Some keys are removed now and then, the first one never.
                        let batch = (0..<20).map { key in
                            (
                                "w\(writer):\(key)",
                                key > 0 && (round + key) % 7 == 0 ? nil : "\(round)"
                            )
                        }
                        try await sink.applyUntilTaken(changes(batch))
                        for (key, value) in batch {
                            model[Array(key.utf8)] = value.map { Array($0.utf8) }
                        }
                    }
                    return model
                }
            }
            return try await group.reduce(into: [:]) { all, model in
                all.merge(model) { _, new in new }
            }
        }
    }

    @Test(arguments: [false, true])
    func `a server that is killed again and again ends up with every change`(
        tcp: Bool
    ) async throws {
        let settings = ["appendonly yes", "appendfsync always", "save \"\""]
        let log = LogRecord()
        try await withRedisServer(tcp: tcp, settings: settings) { server in
            try await withSink(server.url, log: log) { sink in
                let model = try await write(to: sink) {
                    for _ in 0..<10 {
                        await server.kill()
                        try await server.restart()
                        try await sink.applyUntilTaken(changes([("marker", nil)]))
                    }
                }
                #expect(try await sink.contents() == model)
            }
            #expect(log.lines.contains { $0.hasPrefix("warning No connection to Redis") })
            #expect(log.lines.contains { $0.hasPrefix("info Connected to Redis again") })
        }
    }

    @Test(arguments: [false, true])
    func `a frozen server times out, and what it wakes up with is not older`(
        tcp: Bool
    ) async throws {
        try await withRedisServer(tcp: tcp) { server in
            try await withSink(
                server.url,
                {
                    $0.commandTimeout = .milliseconds(150)
                    $0.connectTimeout = .milliseconds(150)
                }
            ) { sink in
                let model = try await write(to: sink) {
                    var newest = 0
                    for _ in 0..<10 {
                        server.pause()
                        // Whether it is a batch or a login that times out.
                        _ = try await sink.failure(containing: "no ")
                        server.resume()
                        try await sink.applyUntilTaken(changes([("marker", nil)]))
                        // A reader must never see a key go back.
                        for _ in 0..<20 {
                            let round = Int(server.command("GET w0:0") ?? "") ?? 0
                            #expect(round >= newest)
                            newest = round
                        }
                    }
                }
                #expect(try await sink.contents() == model)
            }
        }
    }

    @Test func `a full server refuses what sets, takes what removes, and goes on when it may`()
        async throws
    {
        try await withRedisServer { server in
            try await withSink(server.url) { sink in
                try await sink.apply(changes([("old", "v"), ("kept", "v")]))
                server.command("CONFIG SET maxmemory 1")
                let error = await #expect(throws: SinkError.self) {
                    try await sink.apply(changes([("new", "v"), ("old", nil)]))
                }
                #expect(error?.kind == .full)
                #expect(error?.message.contains("OOM") == true)
                #expect(error?.message.contains("raise maxmemory") == true)
                #expect(server.command("EXISTS old") == ":0")
                let connection = try await sink.replies(to: [["CLIENT", "ID"]])
                try await sink.apply(changes([("kept", nil)]))
                server.command("CONFIG SET maxmemory 0")
                try await sink.apply(changes([("new", "v"), ("old", nil)]))
                #expect(server.command("EXISTS new") == ":1")
                #expect(try await sink.replies(to: [["CLIENT", "ID"]]) == connection)
            }
        }
    }

    @Test func `a server that reads its data is waited for`() async throws {
        let settings = ["rdbcompression no"]
        try await withRedisServer(settings: settings) { server in
            let value = String(repeating: "x", count: 2_000)
            try await withSink(server.url) { sink in
                try await sink.apply(changes((0..<400).map { ("k\($0)", value) }))
                server.command("SAVE")
                await server.kill()
                // So slow that it loads until it is told to hurry.
                async let restarted: Void = server.restart(
                    settings: settings + [
                        "key-load-delay 100000", "loading-process-events-interval-bytes 1024",
                    ])
                let error = try await sink.failure(containing: "LOADING")
                #expect(error.kind == .unavailable)
                server.command("CONFIG SET key-load-delay 0")
                try await restarted
                try await sink.applyUntilTaken(changes([("late", "v")]))
                #expect(server.command("DBSIZE") == ":401")
            }
        }
    }

    @Test func `a replica is left until it is promoted, and a primary that became one is left too`()
        async throws
    {
        try await withRedisServer(tcp: true) { primary in
            try await withRedisServer(tcp: true) { other in
                let log = LogRecord()
                try await withSink(primary.url, log: log) { sink in
                    try await sink.apply(changes([("k", "1")]))
                    let port = try #require(other.port)
                    primary.command("REPLICAOF 127.0.0.1 \(port)")
                    let error = await #expect(throws: SinkError.self) {
                        try await sink.apply(changes([("k", "2")]))
                    }
                    #expect(error?.kind == .unavailable)
                    #expect(error?.message.contains("READONLY") == true)
                    let next = try await sink.failure(containing: "read-only replica")
                    #expect(next.kind == .unavailable)
                    #expect(next.message.contains("reconnecting in"))
                    primary.command("REPLICAOF NO ONE")
                    try await sink.applyUntilTaken(changes([("k", "3")]))
                    #expect(try await sink.contents() == [[107]: [51]])
                }
                #expect(log.lines.contains { $0.hasPrefix("info Connected to Redis again") })
            }
        }
    }

    @Test func `a command that the server does not have refuses its batch alone`() async throws {
        try await withRedisServer(settings: ["rename-command DEL \"\""]) { server in
            try await withSink(server.url) { sink in
                async let good: Void = sink.apply(changes([("a", "v")]))
                let error = await #expect(throws: SinkError.self) {
                    try await sink.apply(changes([("b", "v"), ("hush", nil)]))
                }
                try await good
                #expect(error?.kind == .refused)
                #expect(error?.message == "Redis refused DEL (ERR unknown command 'DEL')")
                try await sink.apply(changes([("c", "v")]))
                #expect(server.command("DBSIZE") == ":3")
            }
        }
    }

    @Test func `a value that is longer than the server takes is refused`() async throws {
        let value = String(repeating: "x", count: 2 << 20)
        try await withRedisServer(settings: ["proto-max-bulk-len 1mb"]) { server in
            try await withSink(server.url) { sink in
                let error = await #expect(throws: SinkError.self) {
                    try await sink.apply(changes([("a", "v"), ("b", value)]))
                }
                #expect(error?.kind == .refused, "\(error?.message ?? "")")
                #expect(error?.message.contains("invalid bulk length") == true)
                try await sink.applyUntilTaken(changes([("c", "v")]))
            }
        }
    }

    @Test func `a server without room for another client is waited for`() async throws {
        try await withRedisServer(tcp: true) { server in
            server.command("CONFIG SET maxclients 1")
            try await withSink(server.url) { holder in
                try await holder.applyUntilTaken(changes([("k", "v")]))
                try await withSink(server.url) { sink in
                    let error = try await sink.failure(containing: "maxclients")
                    #expect(error.kind == .unavailable)
                    _ = try await holder.replies(to: [["CONFIG", "SET", "maxclients", "100"]])
                    try await sink.applyUntilTaken(changes([("k", "v")]))
                }
            }
        }
    }

    @Test func `a connection that is cut while nothing happens is made again at once`()
        async throws
    {
        try await withRedisServer { server in
            try await withSink(server.url, { $0.clientName = "idle" }) { sink in
                try await sink.apply(changes([("k", "v")]))
                let before = try await sink.replies(to: [["CLIENT", "ID"]])
                server.command("CLIENT KILL TYPE normal SKIPME yes")
                try await wait { server.command("CLIENT LIST")?.contains("name=idle") == true }
                let after = try await sink.replies(to: [["CLIENT", "ID"]])
                #expect(before != after)
            }
        }
    }

    @Test func `a silent connection is asked whether it lives`() async throws {
        let log = LogRecord()
        try await withRedisServer { server in
            try await withSink(
                server.url, log: log,
                {
                    $0.idleLimit = .milliseconds(20)
                    $0.idleTimeout = .milliseconds(500)
                }
            ) { sink in
                try await sink.apply(changes([("k", "v")]))
                try await wait {
                    let info = try? await sink.replies(to: [["INFO", "commandstats"]])[0].text
                    return info?.contains("cmdstat_ping:calls=") == true
                }
                server.pause()
                try await wait { log.lines.contains { $0.contains("No connection to Redis") } }
                server.resume()
                try await wait { log.lines.contains { $0.contains("Connected to Redis again") } }
                try await sink.applyUntilTaken(changes([("k", "w")]))
            }
        }
    }
}
