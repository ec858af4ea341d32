import Foundation
import TestBed
import Testing

@testable import shardwalk

// The command line: what it says about itself, and what it takes.
@Suite struct HelpTests {
    /// The subcommands; an empty text stands for the program itself.
    private static let commands = ["", "run", "replay", "check", "status", "demo", "localstreams"]

    @Test func `the help says what it has always said`() async throws {
        var text = ""
        for command in Self.commands {
            let words = (command.isEmpty ? [] : [command]) + ["--help"]
            let help = try await ShardwalkProcess.run(words, environment: ["COLUMNS": "80"])
            #expect(help.code == 0 && help.log.isEmpty)
            text += "$ shardwalk \(words.joined(separator: " "))\n\(help.output)\n"
        }
        try Golden.expect(text, "help.txt")
    }

    @Test func `the version is the latest one in the change log`() async throws {
        let version = try await ShardwalkProcess.run(["--version"])
        #expect(version.code == 0)
        let changes = try Golden.repositoryText("CHANGELOG.md")
        let latest = try #require(changes.firstMatch(of: /\n## \[?(\d+\.\d+\.\d+)/))
        #expect(version.output == "\(latest.output.1)\n")
    }

    @Test(arguments: [
        ["--frobnicate"], ["frobnicate"], ["run", "--frobnicate"], ["run", "extra"],
        ["replay", "--from", "nowhere"], ["check", "--config"], ["status", "--json", "extra"],
        ["demo", "--seed", "-1"],
    ])
    func `a command line that makes no sense exits 64 and says how to get help`(
        words: [String]
    ) async throws {
        let result = try await ShardwalkProcess.run(words)
        #expect(result.code == 64, "\(result)")
        #expect(result.log.contains("Error: ") && result.log.contains("--help"))
    }

    @Test func `the help names every exit code`() async throws {
        let help = try await ShardwalkProcess.run(["--help"]).output
            .replacing(/\s+/, with: " ")
        for code in Exit.allCases where code != .different {
            #expect(help.contains(" \(code.rawValue) "), "\(code)")
        }
    }
}

/// Texts that users and programs rely on: files in the folder Golden.
enum Golden {
    /// Expects a text to be what a file holds.
    static func expect(
        _ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let golden = try self.text(name)
        #expect(text == golden, "\(name) says:\n\(golden)", sourceLocation: sourceLocation)
    }

    /// What a file holds.
    static func text(_ name: String) throws -> String {
        try repositoryText("Tests/DaemonTests/Golden/\(name)")
    }

    /// The text of a file of the repository.
    static func repositoryText(_ name: String) throws -> String {
        try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent().appending(path: name),
            encoding: .utf8)
    }
}
