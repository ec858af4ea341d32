import Glibc
import TestBed
import Testing
import Walk

@testable import Redis

/// What the sink makes of a peer that is not Redis, or a slow one.
struct StrangeServerTests {
    private func expectFailure(
        at server: StrangeServer, within limit: Duration = .seconds(20), containing words: String
    ) async throws {
        defer { server.close() }
        try await withSink(
            "redis://127.0.0.1:\(server.port)",
            {
                $0.connectTimeout = limit
                $0.commandTimeout = limit
            }
        ) { sink in
            let error = await #expect(throws: SinkError.self) {
                try await sink.apply(changes([("k", "v")]))
            }
            #expect(error?.kind == .unavailable)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
            #expect(error?.message.contains("127.0.0.1:\(server.port)") == true)
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "an HTTP server answers there"),
        ("\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{A}", "a TLS server answers there: use rediss://"),
        ("220 mail ESMTP\r\n", "does not speak the Redis protocol"),
        ("", "closed by the other side (does the port speak TLS? use rediss://)"),
    ])
    func `a wrong port is named for what it is`(answer: String, words: String) async throws {
        let server = try StrangeServer { connection in
            _ = StrangeServer.read(connection)
            _ = StrangeServer.write(answer, to: connection)
        }
        try await expectFailure(at: server, containing: words)
    }

    @Test func `a server that never answers is given up, with a hint`() async throws {
        let server = try StrangeServer { while StrangeServer.read($0) {} }
        try await expectFailure(
            at: server, within: .milliseconds(200),
            containing: "does the port speak TLS? use rediss://")
    }

    @Test func `a reply that trickles in without end is given up`() async throws {
        let server = try StrangeServer { connection in
            while StrangeServer.write("+", to: connection) { usleep(1_000) }
        }
        try await expectFailure(
            at: server, within: .milliseconds(200),
            containing: "does the port speak TLS? use rediss://")
    }

    @Test func `replies that come one byte at a time are taken`() async throws {
        let server = try StrangeServer { connection in
            // Two replies for the login, then those of the batch; commands and replies need not match in time.
            while StrangeServer.read(connection) {
                for byte in "+OK\r\n" {
                    guard StrangeServer.write(String(byte), to: connection) else { return }
                    usleep(500)
                }
            }
        }
        defer { server.close() }
        try await withSink("redis://127.0.0.1:\(server.port)") { sink in
            for _ in 0..<5 { try await sink.apply(changes([("k", "v")])) }
        }
    }

    @Test(arguments: [":1\r\n", "$-1\r\n", "+OK\r\n+OK\r\n"])
    func `replies that do not belong to the commands end the connection`(
        reply: String
    ) async throws {
        let server = try StrangeServer { connection in
            for answer in ["+OK\r\n", "$0\r\n\r\n", reply] {
                guard StrangeServer.read(connection) else { return }
                _ = StrangeServer.write(answer, to: connection)
            }
            while StrangeServer.read(connection) {}
        }
        defer { server.close() }
        try await withSink("redis://127.0.0.1:\(server.port)") { sink in
            let error = await #expect(throws: SinkError.self) {
                try await sink.apply(changes([("k", "v")]))
            }
            #expect(error?.kind == .unavailable)
        }
    }

    @Test func `a name, a port and a socket that lead nowhere are told apart`() async throws {
        let port = try ClosedPort()
        defer { withExtendedLifetime(port) {} }
        for (address, words) in [
            ("redis://no-such-host.invalid", "cannot resolve the name no-such-host.invalid"),
            ("redis://127.0.0.1:\(port.number)", "Connection refused"),
            ("unix:///no/such/redis.sock", "No such file"),
            ("unix:///\(String(repeating: "x", count: 200))", "longer than 107 bytes"),
        ] {
            let error = await #expect(throws: SinkError.self) {
                try await probeRedis(RedisConfiguration(address: try RedisAddress(address)))
            }
            #expect(error?.kind == .unavailable)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
    }
}
