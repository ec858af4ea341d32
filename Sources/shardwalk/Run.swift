import ArgumentParser
import FoundationEssentials
import Walk

/// `shardwalk run`: follows the streams until it is told to stop.
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow the streams and keep the cache in step, until SIGTERM or SIGINT.",
        discussion: """
            The first signal ends it in order: pages in hand are applied and recorded, and it exits 0 within \
            20 seconds. A second signal ends it at once, which is safe as well: what was not recorded is \
            applied again at the next start.
            """)

    @OptionGroup var options: ConfigOptions

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let config = try Config.load(options.config, environment: environment)
        let daemon = try await Daemon(config, environment: environment)
        try await daemon.run(isReplay: false, restart: false)
    }
}
