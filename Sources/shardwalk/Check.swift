import ArgumentParser
import FoundationEssentials
import Records
import Redis
import Walk

/// `shardwalk check`: tries everything that a start needs, and changes nothing.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Try configuration, credentials, streams, Redis and checkpoint; change nothing.",
        discussion: "Exits 0, or with the code of what failed first: 78, 77, 69 or 74.")

    @OptionGroup var options: ConfigOptions

    @Flag(help: "Check the configuration file alone, without any network.")
    var offline = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let config = try Config.load(options.config, environment: environment)
        Terminal.print("ok    configuration  \(options.config)")
        if offline { return }
        let logger = LineLog.logger(config, environment: environment)
        let services = try await Services(config, environment: environment, logger: logger)
        var first: Stop?
        func attempt(_ what: String, _ body: () async throws(Stop) -> String) async {
            do throws(Stop) {
                Terminal.print("ok    \(what)  \(try await body())")
            } catch {
                Terminal.print("FAIL  \(what)  \(error.reason)")
                if let advice = error.advice { Terminal.print("      try: \(advice)") }
                first = first ?? error
            }
        }
        await attempt("credentials  ") { () async throws(Stop) in
            try await services.credentialSummary()
        }
        if first == nil {
            for stream in config.streams {
                await attempt("stream       ") { () async throws(Stop) in
                    let target = try await services.resolve(stream, patiently: false)
                    return "\(target.arn), key \(target.mapping.key)"
                }
            }
        }
        await attempt("redis        ") { () async throws(Stop) in
            try await Self.probe(config.redis)
        }
        await attempt("checkpoint   ") { () async throws(Stop) in try Self.checkpoint(config) }
        await services.close()
        if let first { throw Stop(first.exit, "the check failed", advice: nil) }
    }

    private static func probe(_ config: RedisConfiguration) async throws(Stop) -> String {
        do throws(SinkError) {
            let server = try await probeRedis(config)
            let policy = server.maxmemoryPolicy.map { ", maxmemory-policy \($0)" } ?? ""
            return "\(config.address) (\(server.version ?? "version not shown")\(policy))"
        } catch {
            throw Stop(error.kind == .unavailable ? .unavailable : .denied, "\(error)")
        }
    }

    private static func checkpoint(_ config: Config) throws(Stop) -> String {
        do throws(CheckpointError) {
            let checkpoint = try CheckpointFile.load(
                directory: config.checkpointDirectory, name: config.name, files: SystemFiles())
            let path = CheckpointFile<SystemFiles>.path(
                directory: config.checkpointDirectory, name: config.name)
            guard let checkpoint else { return "\(path) (none yet: starts as configured)" }
            let shards = checkpoint.streams.values.reduce(0) { $0 + $1.shards.count }
            return "\(path) (\(StatusReport.counted(shards, "shard")))"
        } catch {
            throw Stop(error)
        }
    }
}
