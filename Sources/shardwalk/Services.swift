import AWS
import FoundationEssentials
import Glibc
import Logging
import Records
import Streams
import Walk

/// AWS as the daemon sees it: settings, credentials, one HTTP client, and the calls made with them.
struct Services: Sendable {
    /// The walk's source.
    let source: StreamsSource
    /// The client for DynamoDB's own calls.
    let tableClient: ServiceClient

    private let http: HTTPClient
    private let chain: CredentialChain
    /// The keys that sign, for calls and for logins.
    let credentials: CredentialCache
    /// The region that is called.
    let region: String
    private let logger: Logger

    /// How often `check` and `replay` ask a service that does not answer, before they give up.
    private static let attemptsMaximum = 4
    /// The time of AWS.
    let serverClock: ServerClock
    /// How often `run` has to be denied a stream before it gives up: within a few seconds.
    private static let denialsMaximum = 6

    /// Reads AWS's settings from the configuration, the environment and the profile files, and makes the clients.
    ///
    /// - Throws: `Stop` for settings that can't be used.
    init(
        _ config: Config, environment: [String: String], logger: Logger
    ) async throws(Stop) {
        let overrides = AWSSettings.Overrides(
            region: config.aws.region, profile: config.aws.profile, endpoint: config.aws.endpoint)
        let settings: AWSSettings
        do throws(SettingsError) {
            settings = try AWSSettings(
                overrides: overrides, environment: environment,
                files: try ProfileFiles.read(environment: environment))
        } catch {
            throw Stop(.configuration, error.message, advice: error.remedy)
        }
        if let bundle = config.aws.caBundle ?? settings.caBundle, access(bundle, R_OK) != 0 {
            throw Stop(
                .configuration, "the CA bundle \(bundle) can't be read",
                advice: "mend aws.caBundle, AWS_CA_BUNDLE or ca_bundle in the profile")
        }
        for warning in settings.warnings { logger.warning("\(warning)") }
        self.logger = logger
        http = HTTPClient(Self.transport(config, settings))
        let clock = ServerClock(logger: logger)
        serverClock = clock
        var chain = CredentialChain(
            overrides: overrides, environment: environment, http: http, clock: clock,
            logger: logger)
        region = try await Self.region(config, settings, chain)
        chain.fallbackRegion = region
        self.chain = chain
        try Self.check(config, settings, region)
        credentials = CredentialCache(logger: logger, now: { clock.now() }) {
            [chain] () async throws(CredentialError) in try await chain.fetch()
        }
        let connection = ServiceClient.Connection(
            http: http, credentials: credentials, clock: clock,
            connectTimeout: config.aws.connectTimeout, timeout: config.aws.requestTimeout)
        tableClient = ServiceClient(
            .tables, at: try Self.url(.tables, settings.dynamoDBEndpoint, region, settings),
            region: region, over: connection)
        source = StreamsSource(
            ServiceClient(
                .streams, at: try Self.url(.streams, settings.streamsEndpoint, region, settings),
                region: region, over: connection))
    }

    /// Ends the HTTP client's thread.
    func close() async { await http.shutdown() }

    /// Gets credentials and says in a line where they come from; the secret half is not part of it.
    func credentialSummary() async throws(Stop) -> String {
        do throws(CredentialError) {
            let chosen = try chain.choose()
            _ = try await credentials.credentials()
            return "\(chosen.source), region \(region)"
        } catch {
            throw Stop(error.kind == .unavailable ? .unavailable : .denied, "\(error)")
        }
    }

    /// Makes each of the calls that reading a stream takes, once; nothing is changed by them.
    func tryReading(_ target: Target) async throws(Stop) {
        do throws(SourceError) {
            let listing = try await source.describe(target.arn, .all(after: nil))
            guard let shard = listing.shards.last else { return }
            let iterator = try await source.shardIterator(target.arn, shard.id, .latest)
            _ = try await source.page(at: iterator)
        } catch {
            throw Self.stop(target.stream, error)
        }
    }

    /// Finds a configured stream, and makes sure that its records can be mapped.
    ///
    /// - Parameters:
    ///   - stream: what the configuration says.
    ///   - progress: what is remembered; a stream of the same table that was followed before is gone on with when the
    ///     table's stream is switched off.
    ///   - patiently: whether to go on asking, for ever, a service that does not answer.
    /// - Returns: The stream with its mapping.
    /// - Throws: `Stop` when somebody has to act, or as interrupted when the task is cancelled.
    func resolve(
        _ stream: Config.Stream, progress: Progress? = nil, patiently: Bool
    ) async throws(Stop) -> Target {
        var random = SystemRandomNumberGenerator()
        var backoff = Backoff(
            base: .milliseconds(200), maximum: .seconds(20),
            generator: SeededGenerator(seed: random.next()))
        let clock = SystemClock()
        let failures = FailureLog(logger)
        var denials = 0
        let remembered =
            progress.map { Follower.remembered(stream, region: region, in: $0) } ?? []
        while true {
            progress?.noteActivity()
            let failure: SourceError
            do throws(SourceError) {
                return try target(stream, try await find(stream, remembered))
            } catch {
                failure = error
            }
            if Task.isCancelled {
                throw Stop(.interrupted, "\(stream.origin) was still looked for")
            }
            let mayPass: Bool
            switch Verdict(on: failure) {
            case .retry, .retryLater:
                mayPass = patiently || backoff.attempts + 1 < Self.attemptsMaximum
            case .retrySlowly:
                // Credentials that were made or renewed a moment ago are not known everywhere yet.
                denials += 1
                mayPass = patiently && denials < Self.denialsMaximum
            case .reopen, .trimmed, .gone, .block, .reread, .yield: mayPass = false
            }
            guard mayPass else { throw Self.stop(stream, failure) }
            failures.note(
                "resolve", at: clock.uptime, "looking up a stream failed; trying again",
                ["stream": "\(stream.origin)", "error": "\(failure)"])
            await clock.sleep(for: backoff.next())
        }
    }

    // MARK: Streams

    private func find(
        _ stream: Config.Stream, _ remembered: [StreamARN]
    ) async throws(SourceError) -> Tables.Stream {
        switch stream.origin {
        case .table(let name):
            do throws(SourceError) {
                return try await Tables(tableClient).stream(of: name)
            } catch {
                // Switched off for now: what is left of the last stream is read, and the next one waited for.
                guard error.kind == .notFound, let last = remembered.last else { throw error }
                guard stream.key != nil else { return try await find(last) }
                return Tables.Stream(arn: last, viewType: nil, keyAttributes: [])
            }
        case .arn(let arn): return try await find(arn)
        }
    }

    private func find(_ arn: StreamARN) async throws(SourceError) -> Tables.Stream {
        let description = try await source.describe(arn, .all(after: nil))
        return Tables.Stream(
            arn: arn, viewType: description.viewType, keyAttributes: description.keyAttributes)
    }

    private func target(_ stream: Config.Stream, _ found: Tables.Stream) throws(SourceError)
        -> Target
    {
        func invalid(_ message: String) -> SourceError {
            SourceError(.invalid, operation: "its records", message: message)
        }
        if let viewType = found.viewType, !viewType.hasNewImage {
            throw invalid(
                "they are \(viewType.rawValue) and do not hold the new image, which is what goes to the cache. Switch the stream off, and on again with StreamViewType NEW_IMAGE or NEW_AND_OLD_IMAGES"
            )
        }
        guard let key = stream.key else {
            guard !found.keyAttributes.isEmpty else {
                throw invalid("the service does not name the table's keys: give streams[].key")
            }
            return Target(
                stream: stream, arn: found.arn,
                mapping: Mapping(key: KeyTemplate(joining: found.keyAttributes)))
        }
        if !found.keyAttributes.isEmpty {
            do throws(InvalidKeyTemplate) {
                try key.check(keyAttributes: found.keyAttributes)
            } catch {
                throw invalid("\(error)")
            }
        }
        let left = found.keyAttributes.filter { !key.attributes.contains($0) }
        let note =
            "\(stream.origin): items that differ only in \(left.joined(separator: ", ")) share one key of the cache, \(key)"
        return Target(
            stream: stream, arn: found.arn, mapping: Mapping(key: key),
            notes: left.isEmpty ? [] : [note])
    }

    private static func stop(_ stream: Config.Stream, _ error: SourceError) -> Stop {
        switch error.kind {
        case .denied:
            // Without a code it was no service that said no: the credentials say themselves what they lack.
            Stop(
                .denied, "\(stream.origin): \(error)",
                advice: error.code == nil
                    ? nil
                    : "allow dynamodb:DescribeTable on the table and dynamodb:DescribeStream, GetShardIterator and GetRecords on its streams; `shardwalk check` tries them"
            )
        case .notFound, .invalid, .trimmed, .expiredIterator:
            Stop(.configuration, "\(stream.origin): \(error)")
        case .throttled, .unavailable, .cancelled:
            Stop(
                .unavailable, "\(stream.origin): \(error)",
                advice:
                    "see whether the address can be reached from here: aws.endpoint, region, proxy, VPC endpoint (DynamoDB Streams has an interface endpoint only)"
            )
        }
    }

    // MARK: Settings

    /// The region of the settings, of a stream's name or of the instance, in this order.
    private static func region(
        _ config: Config, _ settings: AWSSettings, _ chain: CredentialChain
    ) async throws(Stop) -> String {
        if let region = settings.region { return region }
        for case .arn(let arn) in config.streams.map(\.origin) { return arn.region }
        if let region = await chain.instanceRegion() { return region }
        throw Stop(
            .configuration, "no region is set",
            advice: "set aws.region in the configuration, or AWS_REGION")
    }

    /// Refuses streams of another region, unless one address serves all of them.
    private static func check(
        _ config: Config, _ settings: AWSSettings, _ region: String
    ) throws(Stop) {
        guard settings.streamsEndpoint == nil else { return }
        for case .arn(let arn) in config.streams.map(\.origin) where arn.region != region {
            throw Stop(
                .configuration, "stream \(arn) is in \(arn.region), and the region is \(region)",
                advice: "run a shardwalk of its own for each region, with aws.region set")
        }
    }

    private static func transport(
        _ config: Config, _ settings: AWSSettings
    ) -> HTTPClient.Configuration {
        var transport = HTTPClient.Configuration()
        transport.maximumConnections = config.aws.connections
        transport.certificateBundle = config.aws.caBundle ?? settings.caBundle
        transport.proxy = config.aws.proxy
        transport.userAgent = "shardwalk/\(Main.version)"
        return transport
    }

    private static func url(
        _ service: Endpoint.Service, _ custom: String?, _ region: String, _ settings: AWSSettings
    ) throws(Stop) -> String {
        if let custom { return custom }
        guard
            let url = Endpoint.url(
                of: service, region: region, fips: settings.usesFIPS,
                dualStack: settings.usesDualStack)
        else {
            throw Stop(
                .configuration, "\(region) is no region", advice: "give one such as us-east-1")
        }
        return url
    }
}
