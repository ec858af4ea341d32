import Foundation
import Redis
import TestBed
import Testing
import Walk

@testable import shardwalk

// The configuration as a file: what may stand in the way of reading it.
@Suite struct ConfigFileTests {
    /// Loads a file of some bytes.
    private func load(_ bytes: Data) throws -> Config {
        let folder = try TemporaryDirectory()
        try bytes.write(to: URL(filePath: folder.path("config.json")))
        return try Config.load(folder.path("config.json"), environment: [:])
    }

    private func reason(_ bytes: Data) -> String {
        do {
            _ = try load(bytes)
            return ""
        } catch let stop as Stop {
            return stop.exit == .configuration ? stop.reason : "\(stop.exit)"
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: [
        ("", "line 1, column 1"), (" \n ", "line 2, column 2"),
        ("{\n  \"name\": \"x\"", "line 2, column"),
        ("{\"a\" 1}", "a colon is missing, at line 1, column 6"),
        ("{\n\n  \"a\": 1,\n 7}", "a name is missing, at line 4, column 2"),
        ("{} x", "line 1, column 4"),
        ("\u{0}", "line 1, column 1"), ("nul", "line 1, column"), ("[1", "line 1, column"),
    ])
    func `what is not JSON is told by line and column`(text: String, place: String) {
        #expect(reason(Data(text.utf8)).contains("the file is not JSON: "))
        #expect(reason(Data(text.utf8)).contains(place), "\(reason(Data(text.utf8)))")
    }

    @Test(arguments: [
        ("[]", "the file is a list: give an object"), ("7", "the file is a number"),
        ("null", "the file is null"), ("\"text\"", "the file is a text"),
        ("{\"idle\":{\"minimumMilliseconds\":1e999}}", "idle.minimumMilliseconds can't be read"),
    ])
    func `what is JSON and no configuration is told in words`(text: String, words: String) {
        #expect(reason(Data(text.utf8)).contains(words), "\(reason(Data(text.utf8)))")
    }

    /// Texts that programs have fallen over.
    static let hostile: [Data] =
        [
            String(repeating: "[", count: 200_000), String(repeating: "{\"a\":", count: 100_000),
            String(repeating: "[", count: 400) + String(repeating: "]", count: 400),
            "{\"\(String(repeating: "a", count: 900_000))\":1}",
            "{\"name\":\"\(String(repeating: "a", count: 900_000))\"}",
            "{\"log\":{\"level\":\"\(String(repeating: "\u{1F600}", count: 200_000))\"}}",
            String(repeating: " ", count: 2 << 20) + "{}", "{\"a\":\"\\ud800\"}", "{\"\\ud800\":1}",
            "{\"a\u{1b}[2J\":1}", "{\"a\\u001b[2J\\n\":1}",
            "{\"streams\":[\(String(repeating: "{},", count: 9_999)){}]}",
        ].map { Data($0.utf8) } + [
            Data([0xff, 0xfe, 0x00]), Data([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
        ]

    @Test(arguments: hostile.indices)
    func `a hostile file is refused in a message of decent size`(index: Int) {
        let reason = reason(Self.hostile[index])
        #expect(!reason.isEmpty && !reason.contains("\u{1b}"))
        #expect(reason.utf8.count < 2 << 20)
        let longest = reason.split(separator: "\n").map(\.utf8.count).max() ?? 0
        #expect(longest < 1_000, "\(reason.prefix(2_000))")
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `an example with bytes changed at random never ends the program`(seed: UInt64) throws {
        var seeded = SeededGenerator(seed: seed)
        let example = Array(try Golden.repositoryText("config.example.json").utf8)
        for _ in 0..<300 {
            var bytes = example
            for _ in 0..<Int.random(in: 1...8, using: &seeded) {
                bytes[Int.random(in: bytes.indices, using: &seeded)] = UInt8.random(
                    in: 0...255, using: &seeded)
            }
            do {
                _ = try Config(json: bytes, environment: [:])
            } catch {
                #expect(!error.problems.isEmpty)
            }
        }
    }

    @Test func `the file may be a link, as mounted ones are`() throws {
        let folder = try TemporaryDirectory()
        let text = #"{"streams":[{"table":"orders"}],"redis":{"url":"redis://cache"}}"#
        try Data(text.utf8).write(to: URL(filePath: folder.path("data")))
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("config.json"), withDestinationPath: "data")
        #expect(try Config.load(folder.path("config.json"), environment: [:]).name == "shardwalk")
        for path in [folder.path, folder.path("missing"), folder.path("data/missing"), "\0"] {
            #expect(throws: Stop.self) { try Config.load(path, environment: [:]) }
        }
    }

    @Test func `a password file is one line, and read at each login`() throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("password")
        let text = """
            {"streams":[{"table":"orders"}],"redis":{"url":"redis://cache","passwordFile":"\(path)"}}
            """
        let config = try Config(json: Array(text.utf8), environment: [:])
        #expect(throws: (any Error).self) { try config.redis.password() }
        for (content, password) in [
            ("secret", "secret"), ("secret\n", "secret"), ("secret\r\n", "secret"),
            (" s \t\n", " s \t"),
        ] {
            try Data(content.utf8).write(to: URL(filePath: path))
            #expect(try config.redis.password() == password)
        }
        for content in ["", "\n", "two\nlines", "two\nlines\n", "a\0b", "secret\n\n", "a\rb"] {
            try Data(content.utf8).write(to: URL(filePath: path))
            do {
                _ = try config.redis.password()
                Issue.record("a password of \(content.debugDescription)")
            } catch {
                #expect("\(error)".contains(path) && !"\(error)".contains("lines"))
            }
        }
        let both = text.replacing("redis://cache", with: "redis://:other@cache")
        #expect(
            throws: ConfigError(problems: [
                "redis.passwordFile is given beside a password in url: give one of them"
            ])
        ) { try Config(json: Array(both.utf8), environment: [:]) }
    }
}
