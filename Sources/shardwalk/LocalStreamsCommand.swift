import AWS
import ArgumentParser
import FoundationEssentials
import LocalStreams
import Walk

/// `shardwalk localstreams`: the emulator of DynamoDB and its streams, for tests of one's own.
struct LocalStreamsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "localstreams",
        abstract: "Emulate DynamoDB and its streams on loopback, for tests.",
        discussion: """
            Tables and streams are in memory and forgotten at the end; shards roll over, split and are trimmed \
            as on AWS, only more often if you like, and requests fail on purpose with --faults. Signatures are \
            checked against the keys in LOCALSTREAMS_ACCESS_KEY_ID, LOCALSTREAMS_SECRET_ACCESS_KEY and \
            LOCALSTREAMS_SESSION_TOKEN, or against keys that are printed. Runs until SIGTERM or SIGINT. \
            See docs/localstreams.md.
            """)

    @Option(help: "The port on 127.0.0.1; 0 for one that is free.")
    var port: UInt16 = 8_000

    @Option(help: "The region that requests are signed for.")
    var region = "us-east-1"

    @Option(help: "How many open shards a new stream has, 1 to 10000.")
    var partitions = 4

    @Option(help: "How long a shard stays open, a quarter more or less; for ever if not given.")
    var rolloverSeconds: Double?

    @Option(help: "How many records a shard takes; any number if not given.")
    var rolloverRecords: Int?

    @Option(help: "How many bytes of keys and images a shard takes; any number if not given.")
    var rolloverBytes: Int?

    @Option(help: "The share of rollovers that are splits, 0 to 1.")
    var splitShare = 0.0

    @Option(help: "How many children a split gives, 2 to 16.")
    var splitChildren = 2

    @Option(help: "The share of other rollovers without a child until it is written to, 0 to 1.")
    var leafShare = 0.0

    @Option(help: "How many of the emulator's seconds pass in one second, 0.001 to 1000000.")
    var speed = 1.0

    @Option(help: "How far DescribeStream may be behind, in the emulator's seconds.")
    var listingDelaySeconds = 0.0

    @Option(
        help:
            "How long shards may be listed that are too old to be read, in the emulator's seconds.")
    var lateListingSeconds = 0.0

    @Option(help: "How long it may take until a record can be read, in the emulator's seconds.")
    var recordDelaySeconds = 0.0

    @Option(help: "The most empty pages of an empty stretch of a shard, 0 to 100.")
    var emptyPages = 3

    @Option(help: "How long a stream is ENABLING and DISABLING, in the emulator's seconds.")
    var transitionSeconds = 0.0

    @Option(help: "The seed of everything that happens by chance.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "What goes wrong: none, rough, storm, or a file.", valueName: "preset|file"))
    var faults = "none"

    @Option(help: "What DescribeStream makes of a ShardFilter.")
    var shardFilter = LocalStreams.ShardFilterSupport.served

    @Option(help: "How the userIdentity of expired items is written.")
    var identityCasing = LocalStreams.IdentityCasing.capital

    @Flag(help: "Serve any number of calls in a second.")
    var noLimits = false

    func validate() throws {
        let isGood =
            (1...10_000).contains(partitions) && (0...1).contains(splitShare)
            && (0.001...1e6).contains(speed) && (0...1e6).contains(listingDelaySeconds)
            && (0...1e6).contains(transitionSeconds) && (0...1e6).contains(lateListingSeconds)
            && (0...3_600).contains(recordDelaySeconds) && (0...100).contains(emptyPages)
            && (rolloverSeconds.map { (0.01...1e6).contains($0) } ?? true)
            && (rolloverRecords ?? 1) > 0 && (rolloverBytes ?? 1) > 0
            && (2...16).contains(splitChildren) && (0...1).contains(leafShare)
        guard isGood else {
            throw ValidationError(
                "a number is out of bounds: --partitions 1 to 10000, --split-share and --leaf-share "
                    + "0 to 1, --split-children 2 to 16, --rollover-records and "
                    + "--rollover-bytes 1 or more, "
                    + "--speed 0.001 to 1000000, --rollover-seconds 0.01 to 1000000, "
                    + "--record-delay-seconds 0 to 3600, --empty-pages 0 to 100, other seconds 0 to 1000000"
            )
        }
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let keys = try keys(environment)
        let configuration = LocalStreams.Configuration(
            port: port, region: region, partitions: partitions,
            rolloverEvery: rolloverSeconds.map { .milliseconds(Int($0 * 1_000)) },
            rolloverRecords: rolloverRecords, rolloverBytes: rolloverBytes,
            splitShare: splitShare, splitChildren: splitChildren, leafShare: leafShare,
            speed: speed, emptyPagesMax: emptyPages,
            listingDelayMax: .milliseconds(Int(listingDelaySeconds * 1_000)),
            lateListingMax: .milliseconds(Int(lateListingSeconds * 1_000)),
            recordDelayMax: .milliseconds(Int(recordDelaySeconds * 1_000)),
            transition: .milliseconds(Int(transitionSeconds * 1_000)),
            limits: noLimits ? .none : .init(getRecords: 5), shardFilter: shardFilter,
            identityCasing: identityCasing, faults: try chosenFaults(), seed: seed,
            credentials: keys)
        let emulator: LocalStreams
        do {
            emulator = try await LocalStreams.start(configuration)
        } catch {
            throw Stop(.unavailable, "\(error)", advice: "--port 0 takes a port that is free")
        }
        let (ends, end) = AsyncStream<Never>.makeStream()
        let signals = Signals { end.finish() }
        Terminal.print(announcement(emulator.endpoint, keys))
        for await _ in ends {}
        withExtendedLifetime(signals) {}
        await emulator.stop()
    }

    /// The keys of the environment, or those that everybody may know.
    private func keys(_ environment: [String: String]) throws(Stop) -> Credentials {
        let id = environment["LOCALSTREAMS_ACCESS_KEY_ID"]
        let secret = environment["LOCALSTREAMS_SECRET_ACCESS_KEY"]
        switch (id, secret) {
        case (nil, nil): return LocalStreams.Configuration().credentials
        case (let id?, let secret?):
            return Credentials(
                accessKeyID: id, secretAccessKey: secret,
                sessionToken: environment["LOCALSTREAMS_SESSION_TOKEN"])
        default:
            throw Stop(
                .configuration,
                "only one of LOCALSTREAMS_ACCESS_KEY_ID and LOCALSTREAMS_SECRET_ACCESS_KEY is set",
                advice: "set both, or neither")
        }
    }

    private func chosenFaults() throws(Stop) -> LocalStreams.Faults {
        if let preset = LocalStreams.Faults.presets[faults] { return preset }
        let bytes: [UInt8]?
        do { bytes = try SystemFiles().read(faults, limit: 1 << 20) } catch {
            throw Stop(.configuration, "the faults in \(faults) can't be read: \(error)")
        }
        guard let bytes else {
            let presets = LocalStreams.Faults.presets.keys.sorted().joined(separator: ", ")
            throw Stop(
                .configuration, "there is no file of faults \(faults)",
                advice: "give a file, or one of \(presets)")
        }
        do { return try LocalStreams.Faults(json: bytes) } catch {
            throw Stop(
                .configuration, "the faults in \(faults) are wrong: \(error)",
                advice: "see docs/localstreams.md for the form")
        }
    }

    /// What to tell a client; keys that somebody chose are not shown.
    private func announcement(_ endpoint: String, _ keys: Credentials) -> String {
        let isPublic = keys == LocalStreams.Configuration().credentials
        let exports =
            isPublic
            ? """
            export AWS_ACCESS_KEY_ID=\(keys.accessKeyID)
            export AWS_SECRET_ACCESS_KEY=\(keys.secretAccessKey)
            """ : "# keys: those in LOCALSTREAMS_ACCESS_KEY_ID and LOCALSTREAMS_SECRET_ACCESS_KEY"
        return """
            # LocalStreams listens; seed \(seed)
            export AWS_ENDPOINT_URL=\(endpoint)
            export AWS_REGION=\(region) AWS_DEFAULT_REGION=\(region)
            \(exports)
            """
    }
}

extension LocalStreams.ShardFilterSupport: ExpressibleByArgument {}
extension LocalStreams.IdentityCasing: ExpressibleByArgument {}
