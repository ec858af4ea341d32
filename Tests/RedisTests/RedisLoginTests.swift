import LocalRedis
import Synchronization
import TestBed
import Testing
import Walk

@testable import Redis

/// Who may come in, and who may write what.
struct RedisLoginTests {
    private let accounts = [
        "requirepass front-door",
        "user walker on >hush allkeys +mset +del +client|setname +select +ping +info",
        "user narrow on >hush ~mine:* +mset +del",
        "user nobody on nopass allkeys +mset",
    ]

    @Test func `users and passwords are those of the server`() async throws {
        try await withRedisServer(tcp: true, settings: accounts) { server in
            let place = server.url.dropFirst("redis://".count)
            for user in [":front-door", "default:front-door", "walker:hush", "nobody"] {
                try await withSink("redis://\(user)@\(place)") { sink in
                    try await sink.apply(changes([("k", "v")]))
                }
            }
        }
    }

    @Test(arguments: ["", ":wrong@", "walker:wrong@", "stranger:hush@"])
    func `a login that fails is denied, in words without the password`(user: String) async throws {
        let log = LogRecord()
        try await withRedisServer(tcp: true, settings: accounts) { server in
            let address = "redis://\(user)\(server.url.dropFirst("redis://".count))"
            let error = try await withSink(address, log: log) { sink in
                await #expect(throws: SinkError.self) {
                    try await sink.apply(changes([("k", "value")]))
                }
            }
            #expect(error?.kind == .denied)
            let message = try #require(error?.message)
            #expect(message.contains(user.isEmpty ? "NOAUTH" : "WRONGPASS"), "\(message)")
            let told = message + log.lines.joined()
            #expect(!told.contains("wrong") && !told.contains("hush") && !told.contains("value"))
            let probe = await #expect(throws: SinkError.self) {
                try await probeRedis(RedisConfiguration(address: try RedisAddress(address)))
            }
            #expect(probe?.kind == .denied)
        }
    }

    @Test func `a key that the user may not write denies its own batch alone`() async throws {
        try await withRedisServer(settings: accounts) { server in
            try await withSink("unix://narrow:hush@\(server.socketPath)") { sink in
                try await withThrowingTaskGroup { group in
                    for caller in 0..<40 {
                        group.addTask {
                            let isMine = caller.isMultiple(of: 2)
                            let key = isMine ? "mine:\(caller)" : "yours:\(caller)"
                            let batch = changes([("mine:too\(caller)", "v"), (key, "secret")])
                            do throws(SinkError) {
                                try await sink.apply(batch)
                                #expect(isMine)
                            } catch {
                                #expect(!isMine)
                                #expect(error.kind == .denied)
                                #expect(error.message.contains("NOPERM"))
                                #expect(!error.message.contains("secret"))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            try await withSink("unix://:front-door@\(server.socketPath)") { sink in
                // A batch is written whole or not at all.
                let contents = try await sink.contents()
                #expect(contents.count == 40)
            }
        }
    }

    @Test func `a changed password is found at the next login`() async throws {
        try await withRedisServer(settings: ["requirepass first"]) { server in
            let password = PasswordFile("first")
            try await withSink(
                server.url,
                { configuration in configuration.password = { try password.read() } }
            ) { sink in
                try await sink.apply(changes([("k", "1")]))
                password.write(nil)
                let change = ["CONFIG", "SET", "requirepass", "second"]
                #expect(try await sink.replies(to: [change]) == [.status("OK")])
                try await withSink("unix://:second@\(server.socketPath)") { other in
                    _ = try await other.replies(to: [["CLIENT", "KILL", "TYPE", "normal"]])
                }
                let error = try await sink.failure(containing: "cannot be read")
                #expect(error.message.contains("no such file"))
                #expect(error.kind == .denied)
                password.write("second")
                try await wait {
                    do throws(SinkError) {
                        try await sink.apply(changes([("k", "2")]))
                        return true
                    } catch {
                        #expect(error.kind == .denied)
                        return false
                    }
                }
            }
        }
    }

    @Test func `a password that the server takes no longer is read again at every attempt`()
        async throws
    {
        try await withRedisServer(settings: ["requirepass second"]) { server in
            let password = PasswordFile("first")
            let reads = Counter()
            try await withSink(
                server.url,
                { configuration in
                    configuration.password = {
                        reads.add()
                        return try password.read()
                    }
                }
            ) { sink in
                let error = try await sink.failure(containing: "WRONGPASS")
                #expect(error.kind == .denied)
                #expect(error.message.contains("read again at each login"))
                try await wait { reads.value > 2 }
                password.write("second")
                try await wait {
                    do throws(SinkError) {
                        try await sink.apply(changes([("k", "v")]))
                        return true
                    } catch {
                        return false
                    }
                }
            }
        }
    }

    @Test func `a password for a server that wants none is no obstacle`() async throws {
        try await withRedisServer { server in
            try await withSink("unix://:needless@\(server.socketPath)") { sink in
                try await sink.apply(changes([("k", "v")]))
            }
        }
    }

    /// A password that somebody else changes.
    private final class PasswordFile: Sendable {
        struct Missing: Error, CustomStringConvertible {
            let description = "no such file"
        }

        private let content: Mutex<String?>

        init(_ content: String) { self.content = Mutex(content) }

        func read() throws -> String {
            guard let content = content.withLock({ $0 }) else { throw Missing() }
            return content
        }

        func write(_ new: String?) { content.withLock { $0 = new } }
    }
}
