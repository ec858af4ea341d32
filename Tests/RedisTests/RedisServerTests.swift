import Foundation
import LocalRedis
import Testing

/// The server that other tests stand on: it comes up, goes down, and leaves nothing behind.
struct RedisServerTests {
    @Test func `a server answers, is killed, comes back and leaves nothing behind`() async throws {
        let server = try await RedisServer.start(tcp: true, settings: ["requirepass secret"])
        let first = try #require(server.processID)
        await server.kill()
        #expect(server.processID == nil)
        try await server.restart()
        let second = try #require(server.processID)
        #expect(second != first)
        await server.end()
        #expect(server.processID == nil)
        #expect(kill(second, 0) == -1)
        #expect(!FileManager.default.fileExists(atPath: server.directory.path))
    }

    @Test func `a command is waited for that takes its time`() async throws {
        try await withRedisServer { server in
            #expect(server.command("BLPOP nothing 1") == "*-1")
        }
    }

    @Test func `a server that cannot start says why`() async throws {
        let error = await #expect(throws: RedisServerError.self) {
            try await RedisServer.start(settings: ["no-such-setting 1"])
        }
        #expect(error?.description.contains("no-such-setting") == true)
    }

    @Test func `a frozen server is stopped all the same`() async throws {
        let server = try await RedisServer.start()
        server.pause()
        await server.stop()
        #expect(server.processID == nil)
        #expect(server.output.contains("bye bye"), "it went in good order")
        await server.end()
    }
}
