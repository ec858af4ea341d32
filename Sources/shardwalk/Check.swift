import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
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
        // What there is to say stands in the lines below; a log between them would say it twice.
        let services = try await Services(
            config, environment: environment,
            logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
        var first: Stop?
        var targets: [Target] = []
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
        let hasCredentials = first == nil
        for stream in config.streams {
            guard hasCredentials else {
                Terminal.print("skip  stream         \(stream.origin): it needs credentials")
                continue
            }
            await attempt("stream       ") { () async throws(Stop) in
                let target = try await services.resolve(stream, patiently: false)
                try await services.tryReading(target)
                targets.append(target)
                return "\(target.arn), key \(target.mapping.key)"
            }
        }
        for note in targets.flatMap(\.notes) + Target.collisions(targets) {
            Terminal.print("note  \(note)")
        }
        await attempt("redis        ") { () async throws(Stop) in
            try await Self.probe(services.redis(config))
        }
        if config.redis.positionsName != nil {
            let held = await HeldPositions.read(
                services.redis(config), known: targets.map(\.arn))
            await attempt("positions    ") { () async throws(Stop) in try Self.words(for: held) }
        }
        await attempt("checkpoint   ") { () async throws(Stop) in try Self.checkpoint(config) }
        await services.close()
        if let first { throw Stop(first.exit, "the check failed", advice: nil) }
    }

    private static func words(for held: HeldPositions) throws(Stop) -> String {
        if let failure = held.firstFailure { throw Stop(failure) }
        let counts = held.streams.compactMap { stream, content in
            (try? content.get()).map { "\(stream.table) \($0.positions.count)" }
        }
        return counts.isEmpty
            ? "none held yet" : "held of \(counts.sorted().joined(separator: ", "))"
    }

    /// Logs in to Redis, and says in a line what was found there.
    static func probe(_ config: RedisConfiguration) async throws(Stop) -> String {
        try checkFiles(config)
        do throws(SinkError) {
            let server = try await probeRedis(config)
            let policy = server.maxmemoryPolicy.map { ", maxmemory-policy \($0)" } ?? ""
            let doubt = config.isUnverified ? ", not verified: redis.tls.skipVerification" : ""
            return "\(config.address) (\(server.version ?? "version not shown")\(policy)\(doubt))"
        } catch {
            throw Stop(error.kind == .unavailable ? .unavailable : .denied, "\(error)")
        }
    }

    /// Reads the files that a connection to Redis needs.
    static func checkFiles(_ config: RedisConfiguration) throws(Stop) {
        do throws(SinkError) {
            try config.checkFiles()
        } catch {
            throw Stop(.configuration, error.message)
        }
    }

    private static func checkpoint(_ config: Config) throws(Stop) -> String {
        let directory = config.checkpointDirectory
        let path = CheckpointFile<SystemFiles>.path(directory: directory, name: config.name)
        let checkpoint: Checkpoint?
        do throws(CheckpointError) {
            checkpoint = try CheckpointFile.load(
                directory: directory, name: config.name, files: SystemFiles())
        } catch {
            throw Stop(error)
        }
        // A directory that is missing is made by the first start, in the one above it.
        let above = directory.lastIndex(of: "/").map { String(directory[..<$0]) } ?? ""
        let place = access(directory, F_OK) == 0 ? directory : above.isEmpty ? "/" : above
        guard access(place, W_OK | X_OK) == 0 else {
            throw Stop(
                .storage, "\(path) can't be written: \(String(cString: strerror(errno)))",
                advice:
                    "give shardwalk a directory that it may write to (checkpoint.directory), or run the check as its user"
            )
        }
        guard let checkpoint else { return "\(path) (none yet: starts as configured)" }
        let shards = checkpoint.streams.values.reduce(0) { $0 + $1.shards.count }
        return "\(path) (\(StatusReport.counted(shards, "shard")))"
    }
}
