import ArgumentParser
import FoundationEssentials
import Glibc

/// The program: one subcommand per file.
@main
struct Main: AsyncParsableCommand {
    /// The version, as CHANGELOG.md has it.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "shardwalk",
        abstract: "Keeps a Redis cache in step with DynamoDB tables.",
        discussion: """
            shardwalk reads the tables' DynamoDB Streams, writes every change to Redis and remembers its \
            place in a checkpoint file. Begin with `shardwalk demo`, which needs no cloud, or with a \
            configuration file and `shardwalk check`.

            Exit codes: 0 done, 64 wrong command line, 65 a record can't be applied, 69 a service can't be \
            reached, 74 checkpoint file, 75 replay interrupted, 77 permission or login, 78 configuration.
            """,
        version: version,
        subcommands: [
            Run.self, Replay.self, Check.self, Status.self, Demo.self, LocalStreamsCommand.self,
        ])

    static func main() async {
        // A peer that closes its end is an error of one write, never the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // A descriptor that was closed before the start would become a file or a socket, and get the log's lines.
        for file in STDIN_FILENO...STDERR_FILENO where fcntl(file, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDWR)
        }
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            Signals.claimEnd()
        } catch let stop as Stop {
            Signals.claimEnd()
            stop.report(
                underJournal: LineLog.leadsToJournal(ProcessInfo.processInfo.environment))
            // An end before the usual one leaves threads running, and exit() would take libraries down under them.
            quick_exit(stop.exit.rawValue)
        } catch {
            Signals.claimEnd()
            exit(withError: error)
        }
    }
}

/// The options that most subcommands share.
struct ConfigOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The configuration file.", valueName: "file"))
    var config = "/etc/shardwalk/config.json"
}
