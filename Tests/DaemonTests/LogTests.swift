import Foundation
import Glibc
import LocalRedis
import LocalStreams
import Logging
import TestBed
import Testing
import Walk

@testable import shardwalk

// What the log looks like. That it never holds a secret or an item is looked after on every Stage.
@Suite struct LogTests {
    /// The moment 2026-01-02T03:04:05.500Z.
    private static let date = Date(timeIntervalSince1970: 1_767_323_045.5)

    @Test func `a line is text that stays one line, whatever is in it`() {
        let line = LineLog.line(
            .warning, "shard opened",
            [("shard", "shardId-1"), ("reason", "a \"b\"\nc\u{1}"), ("empty", "")],
            format: .text, underJournal: false, date: Self.date)
        #expect(
            line == """
                2026-01-02T03:04:05.500Z warning shard opened shard=shardId-1 \
                reason="a \\"b\\"\\nc\\u0001" empty=""

                """)
    }

    @Test func `a line is JSON that a machine reads, whatever is in it`() throws {
        let words = "\u{0}\u{1f}\u{7f}\"\\/\r\n\t\u{2028}\u{1F600}\u{85}"
        let line = LineLog.line(
            .error, "it failed", [("reason", words)], format: .json, underJournal: false,
            date: Self.date)
        #expect(
            line.hasSuffix("}\n") && line.dropLast().allSatisfy { !$0.isASCII || !$0.isNewline })
        let members = try #require(LogLine.members(of: line))
        #expect(
            members == [
                "time": "2026-01-02T03:04:05.500Z", "level": "error", "message": "it failed",
                "reason": words,
            ])
    }

    @Test func `a line has an end, whatever is in it`() {
        let words = "e" + String(repeating: "\u{301}", count: 100_000)
        let line = LineLog.line(
            .error, words, [("reason", words)], format: .json, underJournal: false,
            date: Self.date)
        #expect(line.utf8.count < 9_000)
        #expect(LogLine.members(of: line)?["reason"]?.unicodeScalars.last == "…")
    }

    @Test(
        arguments: zip(
            Logger.Level.allCases, ["<7>", "<7>", "<6>", "<5>", "<4>", "<3>", "<2>"]))
    func `under the journal a line begins with its priority and leaves out the time`(
        level: Logger.Level, priority: String
    ) {
        let line = LineLog.line(
            level, "words", [], format: .text, underJournal: true, date: Self.date)
        #expect(line == "\(priority)\(level) words\n")
    }

    @Test(arguments: ["text", "json"])
    func `every line of a run can be read, at every level`(format: String) async throws {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure(["log": #"{"level": "trace", "format": "\#(format)"}"#])
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            streams.rollOver()
            await stage.redis.kill()
            try await table.put(10..<20)
            try await daemon.waitForLog("cache failed")
            try await stage.redis.restart()
            try await daemon.waitForLog("Connected to Redis again")
            try await daemon.stop()
            let lines = daemon.log.split(separator: "\n")
            #expect(lines.count > 10)
            for line in lines {
                #expect(LogLine.isWellFormed(line), "\(line)")
                #expect(line.hasPrefix("{") == (format == "json"))
            }
        }
    }

    @Test func `a level leaves out what is less severe`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure(["log": #"{"level": "error"}"#])
            #expect(try await stage.run("replay").log.isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `priorities go to the journal, and to nobody who only inherits its variable`(
        isJournal: Bool
    ) async throws {
        try await withStage(endpoint: "http://127.0.0.1:1") { stage in
            try stage.configure(["log": #"{"level": "debug"}"#])
            // The log has to be there to have a number.
            let folder = try TemporaryDirectory()
            let log = folder.path("log")
            try Data().write(to: URL(filePath: log))
            var status = stat()
            #expect(stat(log, &status) == 0)
            let inode = status.st_ino + (isJournal ? 0 : 1)
            let environment = ["JOURNAL_STREAM": "\(status.st_dev):\(inode)"]
            let daemon = try ShardwalkProcess(
                ["replay", "--config", stage.configPath],
                environment: stage.environment.merging(environment) { $1 }, in: folder)
            #expect(try await daemon.exitCode() == 69)
            let lines = daemon.log.split(separator: "\n")
            #expect(lines.contains { $0.contains("Error: ") })
            for line in lines {
                let hasPriority = line.prefixMatch(of: /<[2-7]>[A-Za-z]+:?\s/) != nil
                #expect(hasPriority == isJournal, "\(line)")
            }
        }
    }

    @Test func `the password of a proxy is not told`() async throws {
        try await withStage(endpoint: "http://127.0.0.1:2") { stage in
            try stage.configure([
                "aws": """
                {"region": "us-east-1", "endpoint": "http://127.0.0.1:2",
                "proxy": "http://someone:proxy-password-mark@127.0.0.1:1"}
                """
            ])
            for command in ["check", "replay"] {
                let result = try await stage.run(command)
                #expect(result.code == 69)
                #expect(!(result.log + result.output).contains("proxy-password-mark"))
            }
        }
    }
}
