import Foundation
import LocalRedis
import Records
import Redis
import TestBed
import Testing
import Walk

/// Redis over TLS: who is let in and who is taken for the server.
struct RedisTLSTests {
    private let certificates: Certificates

    init() async throws { certificates = try await Certificates() }

    /// What a connection through TLS is given, trusting the test's own authority.
    private func trusting(
        _ more: @escaping (inout RedisTLS) -> Void = { _ in }
    ) -> (inout RedisConfiguration) -> Void {
        { configuration in
            configuration.tls.caFile = certificates.path("ca.pem")
            // Machines are slow when everything is tested at once.
            configuration.connectTimeout = .seconds(60)
            configuration.commandTimeout = .seconds(120)
            more(&configuration.tls)
        }
    }

    /// Tries to write, and returns why it could not be done.
    private func refusal(
        at url: String, _ configure: (inout RedisConfiguration) -> Void
    ) async throws -> SinkError {
        let log = LogRecord()
        let error = try await withSink(url, log: log, configure) { sink in
            await #expect(throws: SinkError.self) { try await sink.apply(changes([("k", "v")])) }
        }
        #expect(!log.lines.joined().contains("hush"))
        return try #require(error)
    }

    // MARK: The right server

    @Test(arguments: ["TLSv1.2", "TLSv1.3"], ["localhost", "127.0.0.1"])
    func `a server is known by its name and by its address`(
        version: String, host: String
    ) async throws {
        try await certificates.make("server")
        let settings = certificates.settings("server", ["tls-protocols \(version)"])
        try await withRedisServer(tls: true, settings: settings) { server in
            let log = LogRecord()
            let url = server.url.replacing("127.0.0.1", with: host)
            try await withSink(url, log: log, trusting()) { sink in
                try await sink.apply(changes([("k", "v"), ("l", nil)]))
                #expect(try await sink.contents() == [[107]: [118]])
            }
            #expect(
                log.lines.contains {
                    $0.hasPrefix("info Connected to Redis ") && $0.contains("tls=\(version)")
                })
            #expect(!log.lines.contains { $0.contains("skipVerification") })
        }
    }

    @Test(arguments: [
        ("DNS:*.cache.example", "a.cache.example"), ("DNS:cache.example", "CACHE.example."),
        ("IP:::1", "::1"), ("DNS:other,DNS:cache", "cache"),
    ])
    func `another name than the one that is dialled can be asked for`(
        names: String, name: String
    ) async throws {
        try await certificates.make("server", for: names)
        try await withRedisServer(tls: true, settings: certificates.settings("server")) { server in
            try await withSink(server.url, trusting { $0.serverName = name }) { sink in
                try await sink.apply(changes([("k", "v")]))
            }
        }
    }

    @Test func `a folder of authorities is trusted, and a certificate that vouches for itself`()
        async throws
    {
        try await certificates.make("server")
        try await certificates.make("alone", authority: nil)
        let folder = certificates.path("authorities")
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        try FileManager.default.copyItem(
            atPath: certificates.path("ca.pem"), toPath: folder + "/ca.pem")
        try await Certificates.openssl(["rehash", folder])
        for (certificate, file, directory) in [
            ("server", nil, folder), ("alone", "alone.pem", nil), ("alone", "alone.pem", folder),
        ] as [(String, String?, String?)] {
            let settings = certificates.settings(certificate)
            try await withRedisServer(tls: true, settings: settings) { server in
                let configure = trusting {
                    $0.caFile = file.map(certificates.path)
                    $0.caDirectory = directory
                }
                try await withSink(server.url, configure) { sink in
                    try await sink.apply(changes([("k", "v")]))
                }
            }
        }
    }

    @Test func `users log in over TLS as without`() async throws {
        try await certificates.make("server")
        let account = "user walker on >hush allkeys +mset +del"
        let settings = certificates.settings("server", ["requirepass front-door", account])
        try await withRedisServer(tls: true, settings: settings) { server in
            let place = server.url.dropFirst("rediss://".count)
            try await withSink("rediss://walker:hush@\(place)", trusting()) { sink in
                try await sink.apply(changes([("k", "v")]))
            }
            let error = try await refusal(at: "rediss://walker:hushhush@\(place)", trusting())
            #expect(error.kind == .denied)
            #expect(error.message.contains("WRONGPASS"))
            let info = try await probeRedis(
                configuration("rediss://:front-door@\(place)", trusting()))
            #expect(info.role == "master")
        }
    }

    private func configuration(
        _ url: String, _ configure: (inout RedisConfiguration) -> Void
    ) throws -> RedisConfiguration {
        var configuration = RedisConfiguration(address: try RedisAddress(url))
        configure(&configuration)
        return configuration
    }

    // MARK: The wrong server

    /// What may be wrong with a server's certificate, and what is said of it.
    enum Fault: CaseIterable {
        case host, address, partialWildcard, expired, selfSigned, unknown, system

        var names: String {
            switch self {
            case .host: "DNS:a.example,DNS:b.example,IP:10.1.2.3,IP:2001:db8::1"
            case .address: "DNS:127.0.0.1,IP:127.0.0.2"
            case .partialWildcard: "DNS:loc*.example"
            default: "DNS:localhost,IP:127.0.0.1"
            }
        }
        var authority: String? {
            switch self {
            case .selfSigned: nil
            case .unknown: "stranger"
            default: "ca"
            }
        }
        var words: [String] {
            switch self {
            case .host:
                [
                    "not for localhost, but for a.example, b.example, 10.1.2.3, 2001:db8::1",
                    "redis.tls.serverName",
                ]
            case .address: ["not for 127.0.0.1, but for 127.0.0.1, 127.0.0.2"]
            case .partialWildcard: ["not for local.example, but for loc*.example"]
            case .expired: ["its certificate has expired (20", " UTC)", "renew it"]
            case .selfSigned: ["is self-signed", "redis.tls.caFile"]
            case .unknown: ["comes from /CN=Authority stranger", "redis.tls.caFile"]
            case .system: ["its certificate comes from /CN=Authority ca", "redis.tls.caFile"]
            }
        }
    }

    @Test(arguments: Fault.allCases, ["TLSv1.2", "TLSv1.3"])
    func `a server that cannot prove who it is gets nothing`(
        fault: Fault, version: String
    ) async throws {
        try await certificates.makeAuthority("stranger")
        try await certificates.make(
            "server", for: fault.names, authority: fault.authority,
            days: fault == .expired ? -1 : 2)
        let settings = certificates.settings("server", ["tls-protocols \(version)"])
        try await withRedisServer(tls: true, settings: settings) { server in
            let host = fault == .host ? "localhost" : "127.0.0.1"
            let url = server.url.replacing("//127.0.0.1", with: "//walker:hush@\(host)")
            let configure = trusting {
                if fault == .system { $0.caFile = nil }
                if fault == .partialWildcard { $0.serverName = "local.example" }
            }
            let error = try await refusal(at: url, configure)
            #expect(error.kind == .denied)
            for words in fault.words { #expect(error.message.contains(words), "\(error)") }
            #expect(server.command("INFO commandstats")?.contains("cmdstat_auth") == false)
            // Who insists gets in, and is reminded of it each time.
            guard fault != .system else { return }
            let log = LogRecord()
            try await withSink(
                server.url, log: log, trusting { $0.skipsVerification = true }
            ) { sink in
                try await sink.apply(changes([("k", "v")]))
                server.command("CLIENT KILL TYPE normal SKIPME yes")
                try await sink.applyUntilTaken(changes([("k", "w")]))
            }
            let warnings = log.lines.filter {
                $0.hasPrefix("warning ") && $0.contains("skipVerification")
            }
            #expect(warnings.count == 2)
        }
    }

    @Test(arguments: [".", "", "%:", ".example"])
    func `a name that would let any certificate pass is none`(name: String) async throws {
        try await certificates.make("server", for: "DNS:cache.example")
        try await withRedisServer(tls: true, settings: certificates.settings("server")) { server in
            let error = try await refusal(at: server.url, trusting { $0.serverName = name })
            #expect(error.message.contains("is no name that a certificate can be for"), "\(error)")
        }
    }

    @Test func `a server without TLS 1.2 is refused`() async throws {
        try await certificates.make("server")
        let settings = certificates.settings(
            "server", ["tls-protocols TLSv1.1", "tls-ciphers DEFAULT@SECLEVEL=0"])
        try await withRedisServer(tls: true, settings: settings) { server in
            let error = try await refusal(at: server.url, trusting())
            #expect(error.kind == .unavailable)
            #expect(error.message.contains("the server offers no TLS 1.2 or later"), "\(error)")
        }
    }

    // MARK: Our own certificate

    @Test(arguments: ["TLSv1.2", "TLSv1.3"])
    func `a server that wants a certificate of ours gets the right one`(
        version: String
    ) async throws {
        try await certificates.makeAuthority("stranger")
        try await certificates.make("server")
        try await certificates.make("client", for: "DNS:client")
        try await certificates.make("spy", for: "DNS:client", authority: "stranger")
        let settings = certificates.settings(
            "server", clients: "yes", ["tls-protocols \(version)"])
        try await withRedisServer(tls: true, settings: settings) { server in
            func showing(_ name: String) -> (inout RedisConfiguration) -> Void {
                trusting {
                    $0.certificateFile = certificates.path("\(name).pem")
                    $0.keyFile = certificates.path("\(name).key")
                }
            }
            try await withSink(server.url, showing("client")) { sink in
                try await sink.apply(changes([("k", "v")]))
            }
            let none = try await refusal(at: server.url, trusting())
            #expect(none.message.contains("set redis.tls.certificateFile"), "\(none)")
            #expect(none.kind == .denied)
            let wrong = try await refusal(at: server.url, showing("spy"))
            #expect(wrong.message.contains("another client certificate"), "\(wrong)")
            #expect(wrong.message.contains("trust the one in redis.tls.certificateFile"))
            #expect(wrong.kind == .denied)
        }
    }

    // MARK: Files

    @Test func `files that cannot be used are named before anybody is called`() async throws {
        try await certificates.make("one")
        try await certificates.make("two")
        let locked = certificates.path("locked.key")
        try await Certificates.openssl([
            "pkcs8", "-topk8", "-in", certificates.path("one.key"), "-passout", "pass:hush",
            "-out", locked,
        ])
        let empty = certificates.path("empty")
        try Data().write(to: URL(filePath: empty))
        let pipe = certificates.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let one = certificates.path("one.pem")
        let key = certificates.path("one.key")
        let cases: [(words: String, change: (inout RedisTLS) -> Void)] = [
            ("redis.tls.caFile: /none can't be read: No such file", { $0.caFile = "/none" }),
            ("redis.tls.caFile: \(empty) holds no certificates", { $0.caFile = empty }),
            ("redis.tls.caFile: \(key) holds no certificates", { $0.caFile = key }),
            ("redis.tls.caFile: \(pipe) is not a file", { $0.caFile = pipe }),
            ("redis.tls.caDirectory: in /none there is no", { $0.caDirectory = "/none" }),
            ("run on", { $0.caDirectory = self.certificates.path("") }),
            (
                "redis.tls.certificateFile: /none can't be read",
                {
                    $0.certificateFile = "/none"
                    $0.keyFile = key
                }
            ),
            (
                "redis.tls.certificateFile: \(key) holds no certificate",
                {
                    $0.certificateFile = key
                    $0.keyFile = key
                }
            ),
            (
                "redis.tls.keyFile: \(certificates.path("two.key")) holds no key",
                {
                    $0.certificateFile = one
                    $0.keyFile = self.certificates.path("two.key")
                }
            ),
            (
                "redis.tls.keyFile: \(locked) holds no key without a passphrase",
                {
                    $0.certificateFile = one
                    $0.keyFile = locked
                }
            ),
        ]
        for (words, change) in cases {
            let broken = try configuration("rediss://127.0.0.1:1", trusting(change))
            let error = #expect(throws: SinkError.self) { try broken.checkFiles() }
            #expect(error?.kind == .denied)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "") \(words)")
            // The same is told when a connection is made; without TLS nobody looks.
            let probe = await #expect(throws: SinkError.self) { try await probeRedis(broken) }
            #expect(probe?.message.hasSuffix(error?.message ?? "none") == true)
            try configuration("redis://127.0.0.1:1", trusting(change)).checkFiles()
        }
    }

    @Test func `certificates and passwords that are replaced are found at the next connection`()
        async throws
    {
        try await certificates.make("server")
        try await certificates.makeAuthority("next")
        try await certificates.make("renewed", authority: "next")
        let account = "user walker on >first allkeys +mset +del"
        let settings = certificates.settings("server", [account])
        let trusted = URL(filePath: certificates.path("trusted.pem"))
        let password = URL(filePath: certificates.path("password"))
        try Data(contentsOf: URL(filePath: certificates.path("ca.pem"))).write(to: trusted)
        try Data("first".utf8).write(to: password)
        let log = LogRecord()
        try await withRedisServer(tls: true, settings: settings) { server in
            let url = server.url.replacing("//", with: "//walker@")
            let configure = trusting { $0.caFile = trusted.path }
            try await withSink(
                url, log: log,
                {
                    configure(&$0)
                    $0.password = {
                        String(decoding: try Data(contentsOf: password), as: UTF8.self)
                    }
                }
            ) { sink in
                try await sink.apply(changes([("k", "1")]))
                server.command(
                    "CONFIG SET tls-cert-file \(certificates.path("renewed.pem")) "
                        + "tls-key-file \(certificates.path("renewed.key"))")
                server.command("ACL SETUSER walker resetpass >second")
                server.command("CLIENT KILL TYPE normal SKIPME yes")
                let stranger = try await sink.failure(containing: "comes from")
                #expect(stranger.kind == .denied)
                try Data(contentsOf: URL(filePath: certificates.path("next.pem")))
                    .write(to: trusted, options: .atomic)
                let wrong = try await sink.failure(containing: "WRONGPASS")
                #expect(wrong.kind == .denied)
                try Data("second".utf8).write(to: password, options: .atomic)
                try await wait {
                    do throws(SinkError) {
                        try await sink.apply(changes([("k", "2")]))
                        return true
                    } catch {
                        return false
                    }
                }
                #expect(server.command("GET k") == "2")
            }
        }
        #expect(log.lines.contains { $0.hasPrefix("info Connected to Redis again") })
        #expect(!log.lines.joined().contains("second"))
    }

    // MARK: Mix-ups

    @Test(arguments: ["redis://", "redis://walker:hush@"])
    func `plain Redis to a port with TLS is told with a hint`(scheme: String) async throws {
        try await certificates.make("server")
        try await withRedisServer(tls: true, settings: certificates.settings("server")) { server in
            let url = server.url.replacing("rediss://", with: scheme)
            let error = try await refusal(at: url, { _ in })
            #expect(error.kind == .unavailable)
            #expect(error.message.contains("use rediss://"), "\(error)")
        }
    }

    @Test func `TLS to a port of plain Redis is told with a hint`() async throws {
        try await withRedisServer(tcp: true) { server in
            let url = server.url.replacing("redis://", with: "rediss://walker:hush@")
            // It takes the handshake for the beginning of a line, and waits for the rest.
            let error = try await refusal(at: url, { $0.connectTimeout = .milliseconds(500) })
            #expect(error.kind == .unavailable)
            #expect(error.message.contains("does the port speak plain Redis? use redis://"))
        }
    }

    @Test(
        arguments: [
            (nil, "no answer in time (does the port speak plain Redis? use redis://)"),
            ("", "(does the port speak plain Redis? use redis://)"),
            ("-ERR unknown command\r\n", "does the port speak plain Redis? use redis://"),
            ("+OK\r\n", "does the port speak plain Redis? use redis://"),
            ("HTTP/1.1 400 Bad Request\r\n\r\n", "an HTTP server answers there"),
            ("\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}", "handshake failure"),
            ("\u{16}\u{3}\u{3}\u{0}\u{2}\u{2}", "no answer in time"),
            ("\u{16}nothing of the sort", "TLS failed: "),
        ] as [(String?, String)])
    func `a peer that is no TLS server is named for what it is`(
        answer: String?, words: String
    ) async throws {
        let server = try StrangeServer { connection in
            _ = StrangeServer.read(connection)
            guard let answer else {
                while StrangeServer.read(connection) {}
                return
            }
            _ = StrangeServer.write(answer, to: connection)
            if words.contains("in time") { while StrangeServer.read(connection) {} }
        }
        defer { server.close() }
        let isHanging = words.contains("in time")
        let error = try await refusal(
            at: "rediss://127.0.0.1:\(server.port)",
            { $0.connectTimeout = isHanging ? .milliseconds(300) : .seconds(60) })
        #expect(error.kind == .unavailable)
        #expect(error.message.contains(words), "\(error)")
        #expect(error.message.contains("127.0.0.1:\(server.port)"))
    }

    @Test func `a handshake that trickles in without end is given up`() async throws {
        let server = try StrangeServer { connection in
            _ = StrangeServer.read(connection)
            guard StrangeServer.write("\u{16}\u{3}\u{3}\u{7f}\u{7f}", to: connection) else {
                return
            }
            while StrangeServer.write("\u{2}", to: connection) { usleep(1_000) }
        }
        defer { server.close() }
        let error = try await refusal(
            at: "rediss://127.0.0.1:\(server.port)", { $0.connectTimeout = .milliseconds(300) })
        #expect(error.kind == .unavailable)
    }

    // MARK: Bytes

    @Test(arguments: ["TLSv1.2", "TLSv1.3"], [false, true])
    func `pipelines and values of any size go through, also while the server sleeps`(
        version: String, sleeping: Bool
    ) async throws {
        try await certificates.make("server")
        let settings = certificates.settings("server", ["tls-protocols \(version)"])
        let values = (0..<4).map { index in
            [UInt8](repeating: UInt8(97 + index), count: 5 << 20)
        }
        let many = (0..<5_000).map { ("many\($0)", Optional("value \($0)")) }
        let words = String(repeating: "x", count: 4 << 20)
        try await withRedisServer(tls: true, settings: settings) { server in
            try await withSink(server.url, trusting()) { sink in
                try await sink.apply(changes([("k", "v")]))
                let end = Counter()
                let sleeper = Task {
                    while sleeping, end.value == 0 {
                        server.pause()
                        try await Task.sleep(for: .milliseconds(30))
                        server.resume()
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }
                try await sink.apply(
                    changes(values.enumerated().map { (Array("big\($0)".utf8), $1) }))
                async let small: Void = sink.apply(changes(many))
                // Replies that fill every buffer while commands are still being sent.
                let replies = try await sink.replies(
                    to: Array(repeating: ["ECHO", words], count: 6))
                #expect(replies == Array(repeating: .bytes(Array(words.utf8)), count: 6))
                try await small
                end.add()
                try await sleeper.value
                for (index, value) in values.enumerated() {
                    let reply = try await sink.replies(to: [["GET", "big\(index)"]])
                    #expect(reply == [.bytes(value)])
                }
                #expect(server.command("DBSIZE") == ":5005")
                #expect(server.command("GET many4999") == "value 4999")
            }
        }
    }

    @Test(arguments: ["TLSv1.2", "TLSv1.3"])
    func `a connection that is cut anywhere is made again, and nothing is lost`(
        version: String
    ) async throws {
        try await certificates.make("server")
        let settings = certificates.settings("server", ["tls-protocols \(version)"])
        try await withRedisServer(tls: true, settings: settings) { server in
            let proxy = try Proxy(to: Int(try #require(server.port)))
            defer { proxy.end() }
            let value = [UInt8](repeating: 97, count: 100_000)
            let url = "rediss://127.0.0.1:\(proxy.port)"
            let batch = changes((0..<5).map { (Array("k\($0)".utf8), Optional(value)) })
            for place in [1, 5, 100, 700, 1_500, 3_000, 20_000, 100_000, 400_000] {
                proxy.make(.cutting(place))
                try await withSink(url, trusting()) { sink in
                    let error = try await sink.failureOfNext(batch)
                    #expect(error.kind == .unavailable)
                    proxy.make(.open)
                    try await sink.applyUntilTaken(batch)
                    #expect(server.command("DBSIZE") == ":5")
                    server.command("FLUSHALL")
                }
            }
            // A server that is killed while it is written to: no signal ends this process.
            try await withSink(url, trusting()) { sink in
                for _ in 0..<5 {
                    async let failures = sink.applyUntilTaken(batch)
                    await server.kill()
                    try await server.restart()
                    _ = try await failures
                }
                #expect(try await sink.contents().values.allSatisfy { $0 == value })
                #expect(server.command("DBSIZE") == ":5")
            }
        }
    }

    @Test func `the end of a connection is an orderly one`() async throws {
        try await certificates.make("server")
        let settings = certificates.settings("server", ["tls-protocols TLSv1.2"])
        try await withRedisServer(tls: true, settings: settings) { server in
            // Source: RFC 5246, 6.2.1: the head of a record that is an alert; close_notify is one.
            let proxy = try Proxy(
                to: Int(try #require(server.port)), counting: "\u{15}\u{3}\u{3}\u{0}")
            defer { proxy.end() }
            try await withSink("rediss://127.0.0.1:\(proxy.port)", trusting()) { sink in
                try await sink.apply(changes([("k", "v")]))
                #expect(proxy.count == 0)
            }
            try await wait { proxy.count == 1 }
        }
    }
}

extension RedisSink {
    /// Applies until that fails, and returns the failure.
    fileprivate func failureOfNext(_ changes: ChangeSet) async throws -> SinkError {
        for _ in 0..<1_000 {
            do throws(SinkError) {
                try await apply(changes)
            } catch {
                return error
            }
        }
        throw TestBedError("nothing fails")
    }
}
