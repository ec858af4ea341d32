import ArgumentParser
import FoundationEssentials
import Walk

/// `shardwalk replay`: reads what the streams hold, once.
struct Replay: AsyncParsableCommand {
    /// Where a replay begins.
    enum From: String, ExpressibleByArgument, CaseIterable {
        /// At the oldest record that the streams keep, whatever the checkpoint says.
        case trimHorizon = "trim-horizon"
        /// Where the checkpoint stands.
        case checkpoint
    }

    static let configuration = CommandConfiguration(
        abstract: "Apply what the streams hold, then exit.",
        discussion: """
            Every shard that exists at the start is read until it is drained or caught up with. The positions \
            are recorded in the checkpoint as they are reached, so that `shardwalk run` goes on from there. \
            Exits 0 when everything was applied, 65 when a shard had to be left.
            """)

    @OptionGroup var options: ConfigOptions

    @Option(help: "Where to begin: trim-horizon (the oldest record) or checkpoint.")
    var from = From.trimHorizon

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        var config = try Config.load(options.config, environment: environment)
        if from == .trimHorizon {
            for index in config.streams.indices { config.streams[index].start = .trimHorizon }
        }
        let daemon = try await Daemon(config, environment: environment)
        let clock = SystemClock()
        try await daemon.run(
            isReplay: true, restart: from == .trimHorizon
        ) { progress in
            await ProgressLine().show(progress, clock: clock)
        }
        Terminal.print("done: what the streams held is in the cache")
    }
}
