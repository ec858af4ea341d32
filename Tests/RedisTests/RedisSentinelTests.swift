import LocalRedis
import Records
import Redis
import TestBed
import Testing
import Walk

/// A primary that sentinels name: asked for at each connection, believed only after a look at it.
struct RedisSentinelTests {
    /// What a sentinel is told about a primary; it acts quickly, and alone.
    private func monitor(_ server: RedisServer, _ more: [String] = []) throws -> [String] {
        [
            "sentinel monitor main 127.0.0.1 \(try #require(server.port)) 1",
            "sentinel down-after-milliseconds main 500", "sentinel failover-timeout main 3000",
        ] + more
    }

    /// The address of a primary that some sentinels know.
    private func url(
        _ sentinels: [UInt16?], login: String = "", name: String = "main", scheme: String = "redis"
    ) throws -> String {
        let hosts = try sentinels.map { "127.0.0.1:\(try #require($0))" }
        return "\(scheme)+sentinel://\(login)\(hosts.joined(separator: ","))/\(name)"
    }

    /// Machines are slow when everything is tested at once.
    private static func patient(_ configuration: inout RedisConfiguration) {
        configuration.connectTimeout = .seconds(60)
        configuration.commandTimeout = .seconds(60)
    }

    /// Why a server cannot be reached.
    private func refusal(
        at url: String, _ configure: (inout RedisConfiguration) -> Void = patient
    ) async throws -> SinkError {
        var configuration = RedisConfiguration(address: try RedisAddress(url))
        configure(&configuration)
        do throws(SinkError) {
            _ = try await probeRedis(configuration)
        } catch {
            return error
        }
        throw TestBedError("\(url) was not refused")
    }

    /// Applies until the changes are taken, whatever the failures before are.
    private func insist(_ sink: RedisSink, _ batch: ChangeSet) async throws {
        try await wait(atMost: 120) {
            do throws(SinkError) {
                try await sink.apply(batch)
                return true
            } catch {
                return false
            }
        }
    }

    /// Cuts all connections of clients but those of replicas and sentinels' links.
    private func cut(_ server: RedisServer) {
        server.command("CLIENT KILL TYPE normal SKIPME yes")
    }

    @Test func `the primary is asked for anew after each loss`() async throws {
        try await withRedisServer(tcp: true) { first in
            try await withRedisServer(tcp: true) { second in
                let settings = try monitor(first)
                try await withRedisServer(tcp: true, sentinel: true, settings: settings) {
                    sentinel in
                    try await withSink(try url([sentinel.port]) + "/2", Self.patient) { sink in
                        try await insist(sink, changes([("k", "1")]))
                        var places = [first, second]
                        for round in 2...4 {
                            places.reverse()
                            let port = try #require(places[0].port)
                            #expect(sentinel.command("SENTINEL REMOVE main") == "+OK")
                            #expect(
                                sentinel.command("SENTINEL MONITOR main 127.0.0.1 \(port) 1")
                                    == "+OK")
                            cut(places[1])
                            try await insist(sink, changes([("round", "\(round)")]))
                            let held = try await sink.replies(to: [["GET", "round"]])
                            #expect(held == [.bytes(Array("\(round)".utf8))])
                            let info = places[0].command("INFO keyspace")
                            #expect(info?.contains("db2:keys=") == true)
                        }
                    }
                }
            }
        }
    }

    /// Runs `body` with a primary, its replica in step, and a sentinel that knows both.
    private func withReplica(
        _ body: (_ primary: RedisServer, _ replica: RedisServer, _ sentinel: RedisServer)
            async throws -> Void
    ) async throws {
        let quick = ["repl-diskless-sync-delay 0"]
        try await withRedisServer(tcp: true, settings: quick) { primary in
            let source = ["replicaof 127.0.0.1 \(try #require(primary.port))"]
            try await withRedisServer(tcp: true, settings: quick + source) { replica in
                try await wait {
                    replica.command("INFO replication")?.contains("master_link_status:up") == true
                }
                let settings = try monitor(primary)
                try await withRedisServer(tcp: true, sentinel: true, settings: settings) {
                    sentinel in
                    try await wait {
                        sentinel.command("INFO sentinel")?.contains("slaves=1,") == true
                    }
                    try await body(primary, replica, sentinel)
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func `the walk goes on at the new primary after a failover`(killed: Bool) async throws {
        try await withReplica { primary, replica, sentinel in
            let log = LogRecord()
            try await withSink(try url([sentinel.port]), log: log, Self.patient) { sink in
                try await insist(sink, changes([("before", "v")]))
                #expect(primary.command("EXISTS before") == ":1")
                if killed { await primary.kill() }
                try await wait(atMost: 120) {
                    if replica.command("INFO replication")?.contains("role:master") == true {
                        return true
                    }
                    // Refused while one is under way; one that takes too long on a busy machine is given up.
                    if !killed { sentinel.command("SENTINEL FAILOVER main") }
                    return false
                }
                try await insist(sink, changes([("after", "v")]))
                if !killed {
                    // Until the old primary is told what it is now, it takes writes: the sentinels' own gap.
                    try await wait(atMost: 120) {
                        primary.command("INFO replication")?.contains("role:slave") == true
                    }
                    try await insist(sink, changes([("after", "w")]))
                }
                try await wait { replica.command("EXISTS after") == ":1" }
                let role = try await sink.replies(to: [["ROLE"]])
                guard case .array(let parts) = role[0] else {
                    Issue.record("\(role)")
                    return
                }
                #expect(parts[0].text == "master")
            }
            #expect(log.lines.contains { $0.hasPrefix("info Connected to Redis again") })
        }
    }

    @Test func `sentinels that do not answer are passed, and asked last from then on`()
        async throws
    {
        let closed = try ClosedPort()
        defer { withExtendedLifetime(closed) {} }
        let asked = Counter()
        let rude = try StrangeServer { connection in
            asked.add()
            _ = StrangeServer.read(connection)
        }
        let silent = try StrangeServer { while StrangeServer.read($0) {} }
        defer {
            rude.close()
            silent.close()
        }
        try await withRedisServer(tcp: true) { primary in
            let settings = try monitor(primary)
            try await withRedisServer(tcp: true, sentinel: true, settings: settings) { sentinel in
                let list = [UInt16(closed.number), rude.port, silent.port, sentinel.port]
                try await withSink(try url(list), Self.patient) { sink in
                    for round in 1...5 {
                        try await insist(sink, changes([("k", "\(round)")]))
                        #expect(asked.value == 1)
                        cut(primary)
                    }
                }
            }
        }
    }

    @Test func `nobody there, nobody who knows and nobody who tells are three errors`()
        async throws
    {
        let closed = try ClosedPort()
        defer { withExtendedLifetime(closed) {} }
        try await withRedisServer(tcp: true) { primary in
            let settings = try monitor(primary, ["requirepass asked-nicely"])
            try await withRedisServer(tcp: true, sentinel: true, settings: settings) { sentinel in
                func failure(
                    _ ports: [UInt16?], name: String = "main", password: String?
                ) async throws -> SinkError {
                    try await refusal(at: try url(ports, name: name)) {
                        Self.patient(&$0)
                        $0.sentinelPassword = { password }
                    }
                }
                let away = UInt16(closed.number)
                let nobody = try await failure([away, away], password: nil)
                #expect(nobody.kind == .unavailable)
                #expect(
                    nobody.message.contains(
                        "no sentinel answers: 127.0.0.1:\(away): cannot connect to "), "\(nobody)")
                let stranger = try await failure(
                    [away, sentinel.port], name: "other", password: "asked-nicely")
                #expect(stranger.kind == .unavailable)
                #expect(stranger.message.contains("no primary named other is known to "))
                #expect(stranger.message.contains("and no answer from 127.0.0.1:\(away)"))
                #expect(stranger.message.contains("sentinel monitor"), "\(stranger)")
                let silent = try await failure([sentinel.port], password: nil)
                #expect(silent.kind == .denied)
                #expect(silent.message.contains("NOAUTH"), "\(silent)")
                #expect(silent.message.contains("redis.sentinel.passwordFile"), "\(silent)")
                let wrong = try await failure([sentinel.port], password: "asked-rudely")
                #expect(wrong.kind == .denied)
                #expect(wrong.message.contains("WRONGPASS"), "\(wrong)")
                #expect(!wrong.message.contains("asked-rudely"))
                // A plain server is no sentinel.
                let plain = try await failure([primary.port], password: nil)
                #expect(plain.kind == .unavailable)
                #expect(plain.message.contains("it refused SENTINEL (ERR unknown command"))
            }
        }
    }

    @Test func `sentinels and the primary have logins of their own`() async throws {
        let account = "user walker on >hush ~* +mset +del +role +get"
        try await withRedisServer(tcp: true, settings: [account]) { primary in
            let asker = "user asker on >please resetkeys -@all +sentinel|get-master-addr-by-name"
            let settings = try monitor(primary, ["requirepass front-door", asker])
            try await withRedisServer(tcp: true, sentinel: true, settings: settings) { sentinel in
                for (user, password) in [(nil, "front-door"), ("asker", "please")] {
                    let address = try url([sentinel.port], login: "walker:hush@")
                    try await withSink(
                        address,
                        {
                            Self.patient(&$0)
                            $0.sentinelUser = user
                            $0.sentinelPassword = { password }
                        }
                    ) { sink in try await insist(sink, changes([("k", "v")])) }
                }
                primary.command("ACL SETUSER walker -role")
                let error = try await refusal(
                    at: try url([sentinel.port], login: "walker:hush@")
                ) {
                    Self.patient(&$0)
                    $0.sentinelPassword = { "front-door" }
                }
                #expect(error.kind == .denied)
                #expect(error.message.contains("+role"), "\(error)")
            }
        }
    }

    /// A sentinel that always names the same place, whatever it is asked.
    private func staleSentinel(naming port: UInt16) throws -> StrangeServer {
        let digits = String(port)
        let answer = "*2\r\n$9\r\n127.0.0.1\r\n$\(digits.utf8.count)\r\n\(digits)\r\n"
        return try StrangeServer { connection in
            while StrangeServer.read(connection) {
                guard StrangeServer.write(answer, to: connection) else { return }
            }
        }
    }

    @Test func `a sentinel that names a replica or nobody is not believed`() async throws {
        let closed = try ClosedPort()
        defer { withExtendedLifetime(closed) {} }
        try await withRedisServer(tcp: true) { primary in
            let source = ["replicaof 127.0.0.1 \(try #require(primary.port))"]
            try await withRedisServer(tcp: true, settings: source) { replica in
                let stale = try staleSentinel(naming: try #require(replica.port))
                let lost = try staleSentinel(naming: UInt16(closed.number))
                defer {
                    stale.close()
                    lost.close()
                }
                let settings = try monitor(primary)
                try await withRedisServer(tcp: true, sentinel: true, settings: settings) {
                    sentinel in
                    let list = [lost.port, stale.port, sentinel.port]
                    try await withSink(try url(list), Self.patient) { sink in
                        try await insist(sink, changes([("k", "v")]))
                        #expect(primary.command("EXISTS k") == ":1")
                    }
                }
                try await withSink(try url([stale.port]), Self.patient) { sink in
                    let error = try await sink.failure(containing: "is not the primary although")
                    #expect(error.kind == .unavailable)
                    replica.command("REPLICAOF NO ONE")
                    try await sink.applyUntilTaken(changes([("late", "v")]))
                    #expect(replica.command("EXISTS late") == ":1")
                }
            }
        }
    }

    @Test(arguments: [
        "*2\r\n$0\r\n\r\n$4\r\n6379\r\n", "*2\r\n$1\r\nh\r\n$5\r\n65536\r\n", "*1\r\n$1\r\nh\r\n",
        "*2\r\n$1\r\nh\r\n$1\r\n0\r\n", "*0\r\n", ":1\r\n", "+OK\r\n", "$1\r\nh\r\n", "*-1\r\n",
    ])
    func `an answer that is no place is not taken for one`(answer: String) async throws {
        let server = try StrangeServer { connection in
            while StrangeServer.read(connection) {
                guard StrangeServer.write(answer, to: connection) else { return }
            }
        }
        defer { server.close() }
        let error = try await refusal(at: try url([server.port]))
        #expect(error.kind == .unavailable)
        let words =
            answer == "*-1\r\n" ? "no primary named main" : "its answer is not that of a sentinel"
        #expect(error.message.contains(words), "\(error)")
    }

    @Test func `over TLS both the sentinels and the primary prove who they are`() async throws {
        let certificates = try await Certificates()
        try await certificates.make("server")
        try await certificates.make("named", for: "DNS:redis.example")
        for (name, serverName) in [("server", nil), ("named", "redis.example")] {
            let tls = certificates.settings(name, ["tls-replication yes"])
            try await withRedisServer(tls: true, settings: tls) { primary in
                let settings = try monitor(primary, tls)
                try await withRedisServer(tls: true, sentinel: true, settings: settings) {
                    sentinel in
                    let address = try url([sentinel.port], scheme: "rediss")
                    func configure(_ configuration: inout RedisConfiguration) {
                        Self.patient(&configuration)
                        configuration.tls.caFile = certificates.path("ca.pem")
                        configuration.tls.serverName = serverName
                    }
                    try await withSink(address, configure) { sink in
                        try await insist(sink, changes([("k", "v")]))
                        cut(primary)
                        try await insist(sink, changes([("k", "w")]))
                    }
                    let error = try await refusal(at: address) {
                        configure(&$0)
                        $0.tls.serverName = "other.example"
                    }
                    #expect(error.kind == .denied)
                    #expect(error.message.contains("is not for other.example"), "\(error)")
                    let mixUp = try await refusal(at: try url([sentinel.port]))
                    #expect(mixUp.message.contains("use rediss"), "\(mixUp)")
                }
            }
        }
    }
}
