import Foundation
import Redis
import Walk

@testable import shardwalk

/// A configuration is read, or everything that is wrong with it is said in lines of bounded length.
enum ConfigTarget {
    private static let environment = ["REDIS_PASSWORD": "a b:@/%\u{e9}", "HOME": "/root"]

    /// Reads a configuration file.
    static func read(_ input: [UInt8]) throws {
        let config: Config
        do throws(ConfigError) {
            config = try Config(json: input, environment: environment)
        } catch {
            try expect(!error.problems.isEmpty, "a configuration is refused without a reason")
            for problem in error.problems { try expectLine(problem, bytesMax: 1_003, "a problem") }
            return
        }
        try expect(!config.streams.isEmpty, "no stream is followed")
        let tables = config.streams.map(\.origin.table)
        try expect(Set(tables).count == tables.count, "a table is followed twice")
        try expect(
            config.name.wholeMatch(of: /[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}/) != nil,
            "the name is no name")
        try expect(config.checkpointDirectory.hasPrefix("/"), "the directory is not absolute")
        try expect(config.idle.minimum <= config.idle.maximum, "the pauses are in disorder")
        try expect((4 << 20...4_096 << 20).contains(config.pageBytes), "the memory has no bounds")
        try expectLine("\(config.redis.address)", bytesMax: 2 * input.count + 100, "the address")
    }
}
