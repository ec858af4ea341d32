import AWS
import ArgumentParser
import FoundationEssentials
import LocalRedis
import LocalStreams
import Logging
import Redis
import Walk

/// `shardwalk demo`: the real walk between an emulator of DynamoDB and a redis-server of its own.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show shardwalk at work, without a cloud.",
        discussion: """
            Starts an emulator of DynamoDB and its streams (shards roll over every few seconds) and a private \
            redis-server, writes a changing workload to a table, lets the real walk keep the cache in step, and \
            says at the end whether cache and table are equal. Everything is on loopback or in a temporary \
            directory, and is gone afterwards.
            """)

    @Option(help: "How long the workload writes, in seconds, 1 to 3600.")
    var seconds = 15

    @Option(help: "The seed of the workload and of the emulator.")
    var seed: UInt64 = 1

    @Flag(help: "Show the daemon's own log on standard error.")
    var log = false

    func validate() throws {
        guard (1...3_600).contains(seconds) else {
            throw ValidationError("--seconds is \(seconds): give 1 to 3600")
        }
    }

    func run() async throws {
        let work = Task { try await perform() }
        // Taken over before anything is started, so that nothing is left behind.
        let signals = Signals { work.cancel() }
        let result = await work.result
        withExtendedLifetime(signals) {}
        switch result {
        case .success(true): return
        case _ where work.isCancelled:
            throw Stop(.interrupted, "the demo was stopped before its end")
        case .success(false):
            throw Stop(
                .different, "cache and table differ",
                advice: "run it again with --log and the same --seed, and report what you see")
        case .failure(let stop as Stop): throw stop
        case .failure(let error):
            throw Stop(.unavailable, "the demo could not go on: \(error)")
        }
    }

    /// Starts emulator and redis-server, plays, ends both, and returns whether cache and table are equal.
    private func perform() async throws -> Bool {
        let keys = Credentials(accessKeyID: "DEMO", secretAccessKey: "demo-secret")
        let streams = try await LocalStreams.start(
            .init(partitions: 4, rolloverEvery: .seconds(3), seed: seed, credentials: keys))
        let redis: RedisServer
        do {
            redis = try await RedisServer.start()
        } catch {
            await streams.stop()
            throw Stop(
                .unavailable, "the demo's redis-server did not start: \(error)",
                advice: "install redis-server (apt-get install redis-server)")
        }
        let areEqual: Bool
        do {
            areEqual = try await play(streams, redis, keys)
        } catch {
            await redis.end()
            await streams.stop()
            throw error
        }
        await redis.end()
        await streams.stop()
        return areEqual
    }

    /// Runs workload and walk side by side, and returns whether cache and table are equal at the end.
    private func play(
        _ streams: LocalStreams, _ redis: RedisServer, _ keys: Credentials
    ) async throws -> Bool {
        let environment = [
            "AWS_ACCESS_KEY_ID": keys.accessKeyID, "AWS_SECRET_ACCESS_KEY": keys.secretAccessKey,
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        ]
        let config = try demoConfig(streams, redis, environment)
        let services = try await Services(
            config, environment: environment, logger: LineLog.logger(config, environment: [:]))
        let table = DemoTable(services.tableClient, seed: seed)
        try await table.create()
        let board = DemoBoard(
            seconds: seconds,
            cache: try RedisSink(config.redis, logger: LineLog.logger(config, environment: [:])))
        Terminal.print(
            """
            DynamoDB  \(streams.endpoint) (emulated, table \(DemoTable.name), 4 shards that roll over every 3 s)
            Redis     \(redis.url)
            """)
        let daemon = try await Daemon(config, environment: environment)
        let areEqual = try await withThrowingTaskGroup(of: Bool?.self) { group in
            group.addTask {
                try await table.write(for: .seconds(seconds))
                return try await board.waitForEquality(with: table)
            }
            group.addTask {
                try await daemon.run(isReplay: false, restart: false) { progress in
                    await board.show(progress, table)
                }
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            // The walk finishes its pages; a workload that was cut short is no news.
            while let rest = await group.nextResult() {
                if case .failure(let error) = rest, !(error is CancellationError) { throw error }
            }
            return first
        }
        let verdict = try await board.verdict(on: table)
        await board.close()
        await services.close()
        Terminal.print(verdict)
        return areEqual ?? false
    }

    private func demoConfig(
        _ streams: LocalStreams, _ redis: RedisServer, _ environment: [String: String]
    ) throws -> Config {
        let json = """
            {
              "name": "demo",
              "aws": { "region": "us-east-1", "endpoint": "\(streams.endpoint)", "proxy": "" },
              "streams": [ { "table": "\(DemoTable.name)", "key": "{id}" } ],
              "redis": { "url": "\(redis.url)" },
              "checkpoint": { "directory": "\(redis.directory.path)/checkpoint" },
              "log": { "level": "\(log ? "info" : "error")" }
            }
            """
        do {
            return try Config(json: Array(json.utf8), environment: environment)
        } catch {
            preconditionFailure("the demo's own configuration is right: \(error)")
        }
    }
}
