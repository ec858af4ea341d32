import AWS
import Foundation
import LocalRedis
import LocalStreams
import Logging
import Redis
import Streams
import TestBed
import Testing
import Walk

@testable import shardwalk

/// What a daemon needs around it: a stream service, a redis-server, a folder and a configuration.
final class Stage: Sendable {
    /// What no log may ever hold: secrets, and marks that all items of these tests carry.
    static let secrets = [keys.secretAccessKey, keys.sessionToken ?? "", redisPassword] + itemMarks
    /// The keys that the emulator wants requests to be signed with.
    static let keys = Credentials(
        accessKeyID: "LOCALSTREAMS", secretAccessKey: "secret-key-mark",
        sessionToken: "session-token-mark")
    /// The password of the user `walker`, with characters that an address has to encode.
    static let redisPassword = "p@ss:word/mark%20"
    /// The line of a server's settings that lets that user do everything.
    static let redisUser = "user walker on >\(redisPassword) ~* &* +@all"
    /// Parts of the items' keys and values.
    static let itemMarks = ["content-mark", "item-", "sch\u{f6}n-", "{x}:"]

    /// The folder of configuration, log, output and checkpoint.
    let folder: TemporaryDirectory
    /// The cache's server; the user `default` may do everything without a login.
    let redis: RedisServer
    /// Where the stream service is.
    let endpoint: String
    /// A connection of the test's own to the cache.
    let cache: Cache

    fileprivate init(_ redis: RedisServer, endpoint: String) throws {
        folder = try TemporaryDirectory()
        self.redis = redis
        self.endpoint = endpoint
        cache = try Cache(redis)
    }

    /// The path of the configuration.
    var configPath: String { folder.path("config.json") }

    /// The path of the checkpoint's folder.
    var checkpointFolder: String { folder.path("checkpoint") }

    /// The variables that the daemon runs with.
    var environment: [String: String] {
        [
            "AWS_ACCESS_KEY_ID": Self.keys.accessKeyID,
            "AWS_SECRET_ACCESS_KEY": Self.keys.secretAccessKey,
            "AWS_SESSION_TOKEN": Self.keys.sessionToken ?? "",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true", "REDIS_PASSWORD": Self.redisPassword,
        ]
    }

    /// The sections of a configuration, as JSON, that suits tests: short pauses, and everything in the log.
    private func sections(streams: String) -> [String: String] {
        [
            "name": #""test""#,
            "aws": """
            {"region": "us-east-1", "endpoint": "\(endpoint)", "proxy": "", \
            "requestTimeoutSeconds": 5}
            """,
            "streams": streams,
            "redis": """
            {"url": "unix://walker:${REDIS_PASSWORD}@\(redis.socketPath)", \
            "commandTimeoutSeconds": 1}
            """,
            "checkpoint": #"{"directory": "\#(checkpointFolder)"}"#,
            "idle": #"{"minimumMilliseconds": 50, "maximumMilliseconds": 200}"#,
            "log": #"{"level": "debug", "format": "json"}"#,
        ]
    }

    /// Writes the configuration for some streams; `changes` replaces whole sections.
    func configure(
        streams: String = #"[{"table": "items"}]"#, _ changes: [String: String] = [:]
    ) throws {
        let members = sections(streams: streams).merging(changes) { $1 }
            .map { "\"\($0)\": \($1)" }.sorted()
        try Data("{\(members.joined(separator: ",\n"))}".utf8)
            .write(to: URL(filePath: configPath))
    }

    /// Starts the daemon with its configuration.
    func start(
        _ words: String..., environment changes: [String: String] = [:]
    ) throws -> ShardwalkProcess {
        try ShardwalkProcess(
            [words[0], "--config", configPath] + words.dropFirst(),
            environment: environment.merging(changes) { $1 }, in: folder)
    }

    /// Runs a subcommand to its end and returns exit code, standard output and standard error of it alone.
    func run(
        _ words: String..., environment changes: [String: String] = [:]
    ) async throws -> (code: Int32, output: String, log: String) {
        try await ShardwalkProcess.run(
            [words[0], "--config", configPath] + words.dropFirst(),
            environment: environment.merging(changes) { $1 })
    }

    /// What the checkpoint says, in its folder or another one.
    func checkpoint(in folder: String? = nil) throws -> Checkpoint? {
        do throws(CheckpointError) {
            return try CheckpointFile.load(
                directory: folder ?? checkpointFolder, name: "test", files: SystemFiles())
        } catch {
            throw TestBedError("\(error)")
        }
    }

    /// A table of the stream service, through the daemon's own client.
    func table(
        _ name: String = "items", environment changes: [String: String] = [:]
    ) async throws -> TestTable {
        try configure()
        let environment = environment.merging(changes) { $1 }
        var config = try Config.load(configPath, environment: environment)
        // The test itself is in no hurry, also where many of them run at once.
        config.aws.requestTimeout = .seconds(60)
        let services = try await Services(
            config, environment: environment,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return TestTable(name: name, services: services)
    }

    /// What `status --json` says of every shard: its position and number, by its name.
    func positions() async throws -> [String: [String: String]] {
        let status = try await run("status", "--json", "--all")
        guard status.code == 0,
            let json = try JSONSerialization.jsonObject(with: Data(status.output.utf8))
                as? [String: Any], let streams = json["streams"] as? [String: [String: Any]]
        else { throw TestBedError("no status: \(status)") }
        var positions: [String: [String: String]] = [:]
        for case let shards as [String: [String: Any]] in streams.values.map({ $0["shards"] }) {
            positions.merge(shards.mapValues { $0.compactMapValues { $0 as? String } }) { $1 }
        }
        return positions
    }

    /// Waits until the cache holds what a table held at its end.
    func waitForCache(_ table: [Data: Data]) async throws {
        var last: [Data: Data] = [:]
        do {
            try await wait(atMost: 60) { [self] in
                last = (try? await cache.items()) ?? [:]
                return last == table
            }
        } catch {
            throw TestBedError(
                "cache and table differ: \(difference(last, table)); the log:\n\(log.suffix(2_000))"
            )
        }
    }

    /// Waits until the cache has so many keys.
    func waitForCache(count: Int) async throws {
        var last = 0
        do {
            try await wait(atMost: 60) { [self] in
                last = (try? await cache.count()) ?? 0
                return last == count
            }
        } catch {
            throw TestBedError("\(last) keys, not \(count); the log:\n\(log.suffix(3_000))")
        }
    }

    /// What all runs of the daemon have written to standard error.
    var log: String {
        (try? String(contentsOfFile: folder.path("log"), encoding: .utf8)) ?? ""
    }

    fileprivate func end() async {
        await cache.close()
        let text = log
        for secret in Self.secrets {
            #expect(!text.contains(secret), "the log holds \(secret)")
        }
        for line in text.split(separator: "\n") where !LogLine.isWellFormed(line) {
            Issue.record("a line of the log is malformed: \(line)")
        }
    }
}

/// The keys in which two sets of items differ, some of them.
private func difference(_ left: [Data: Data], _ right: [Data: Data]) -> String {
    let keys = Set(left.keys).union(right.keys).filter { left[$0] != right[$0] }
    let words = keys.prefix(3).map { key in
        let texts = [left[key], right[key]].map { value in
            value.map { String(decoding: $0.prefix(200), as: UTF8.self) } ?? "nothing"
        }
        return "\(String(decoding: key, as: UTF8.self)): \(texts[0]) is not \(texts[1])"
    }
    return "\(keys.count) of \(left.count) and \(right.count): \(words.joined(separator: "; "))"
}

/// Runs `body` on a stage of its own with a stream service somewhere else, and looks through the log at the end.
func withStage<Result>(
    endpoint: String, redisSettings: [String] = [],
    _ body: (Stage) async throws -> Result
) async throws -> Result {
    try await withRedisServer(tcp: true, settings: [Stage.redisUser] + redisSettings) { redis in
        let stage = try Stage(redis, endpoint: endpoint)
        do {
            let result = try await body(stage)
            await stage.end()
            return result
        } catch {
            await stage.end()
            throw error
        }
    }
}

/// Runs `body` on a stage of its own with an emulator.
func withStage<Result>(
    _ configuration: LocalStreams.Configuration = .init(
        partitions: 2, credentials: Stage.keys),
    redisSettings: [String] = [],
    _ body: (Stage, LocalStreams) async throws -> Result
) async throws -> Result {
    let streams = try await LocalStreams.start(configuration)
    do {
        let result = try await withStage(
            endpoint: streams.endpoint, redisSettings: redisSettings
        ) { stage in try await body(stage, streams) }
        await streams.stop()
        return result
    } catch {
        await streams.stop()
        throw error
    }
}
