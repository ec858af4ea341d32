import Foundation
import LocalRedis
import LocalStreams
import TestBed
import Testing
import Walk

// How the program ends when it is told to. What is applied at that moment is what the checkpoint says: see LambdaTests.
@Suite(.serialized) struct SignalTests {
    @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
    func `a signal while Redis is down ends it with 0`(signal: Int32) async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            await stage.redis.kill()
            let daemon = try stage.start("run")
            try await daemon.waitForLog("the walk waits for them")
            try await daemon.stop(signal)
            // Where the stream begins depends on what Redis holds.
            #expect(try #require(try stage.checkpoint()).streams.isEmpty)
        }
    }

    @Test func `a signal while Redis is frozen ends it with 0, and nothing is passed over`()
        async throws
    {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            stage.redis.pause()
            let daemon = try stage.start("run")
            try await daemon.waitForLog("No connection to Redis")
            try await daemon.stop()
            stage.redis.resume()
            let next = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await next.stop()
        }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a second signal ends it at once`(signal: Int32) async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            // A batch that is under way is waited for; this one takes longer than anybody wants to.
            try stage.configure([
                "redis":
                    #"{"url": "unix://\#(stage.redis.socketPath)", "commandTimeoutSeconds": 120}"#
            ])
            let daemon = try stage.start("run")
            try await daemon.waitForLog("shard opened", times: 2)
            try await stage.cache.holdWrites { try await table.put(0..<10) }
            daemon.signal(SIGTERM)
            try await daemon.waitForLog("stopping")
            daemon.signal(signal)
            #expect(try await daemon.exitCode() == 128 + signal)
            #expect(daemon.log.contains("second signal: ending at once"))
        }
    }

    @Test func `a signal while a stream is still looked up ends it with 0`() async throws {
        try await withStage(endpoint: "http://127.0.0.1:1") { stage in
            try stage.configure()
            let daemon = try stage.start("run")
            try await daemon.waitForLog("looking up a stream failed")
            try await daemon.stop()
            // A replay does not wait for ever.
            #expect(try await stage.run("replay").code == 69)
        }
    }

    /// What a shell does before it becomes the daemon.
    @Test(arguments: [
        ">&- 2>&- <&-", "2>&-", ">/dev/full 2>/dev/full",
    ])
    func `an output that can't be written to ends nothing and harms nothing`(
        redirection: String
    ) async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            let code = try await shell(
                #"exec "$0" "$@" \#(redirection)"#, ["replay", "--config", stage.configPath], stage)
            #expect(code == 0)
            #expect(try await stage.cache.items() == table.items())
            #expect(
                try Data(contentsOf: URL(filePath: "\(stage.checkpointFolder)/test.lock")).isEmpty)
        }
    }

    @Test func `the end of the terminal is ignored for who has asked for that`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try stage.configure()
            let script = #"trap '' HUP; "$0" "$@" & kill -HUP $!; echo $! >pid; wait $!"#
            async let code = shell(script, ["run", "--config", stage.configPath], stage)
            try await table.put(0..<10)
            try await stage.waitForCache(try await table.items())
            let pid = try String(contentsOfFile: stage.folder.path("pid"), encoding: .utf8)
            let id = try #require(Int32(pid.trimmingCharacters(in: .newlines)))
            kill(id, SIGHUP)
            try await table.put(10..<20)
            try await stage.waitForCache(try await table.items())
            kill(id, SIGTERM)
            #expect(try await code == 0)
        }
    }

    /// Runs a script with the binary and its arguments, in the stage's folder.
    private func shell(
        _ script: String, _ arguments: [String], _ stage: Stage
    ) async throws -> Int32 {
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", script, ShardwalkProcess.binary.path] + arguments
        shell.environment = stage.environment
        shell.currentDirectoryURL = URL(filePath: stage.folder.path)
        try ShardwalkProcess.run(shell)
        try await wait { !shell.isRunning }
        return shell.terminationStatus
    }
}
