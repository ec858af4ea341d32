package import Logging

/// The credential chain of the SDKs: decides which source there is, and gets keys from it.
///
/// Environment and files are looked at anew for every fetch, since other programs rotate what is in them. A
/// source that is set up and fails is a failure, never a reason to take the next one.
package struct CredentialChain: Sendable {
    private let overrides: AWSSettings.Overrides
    private let environment: [String: String]
    private let http: HTTPClient
    private let clock: ServerClock
    private let metadata: InstanceMetadata
    /// The region of STS where the settings name none: that of a stream's name, or the instance's.
    package var fallbackRegion: String?

    /// A chain for one environment.
    package init(
        overrides: AWSSettings.Overrides, environment: [String: String], http: HTTPClient,
        clock: ServerClock, logger: Logger
    ) {
        self.overrides = overrides
        self.environment = environment
        self.http = http
        self.clock = clock
        metadata = InstanceMetadata(http: http, clock: clock, logger: logger)
    }

    /// The source that would be asked now; nothing is sent to find out.
    /// - Throws: `CredentialError` of the kind `misconfigured`.
    package func choose() throws(CredentialError) -> ChosenSource {
        try chosen().source
    }

    /// New keys from the source that is set up now: what a `CredentialCache` calls.
    package func fetch() async throws(CredentialError) -> Credentials {
        let (settings, chosen) = try chosen()
        do {
            let keys = try await credentials(from: chosen.source, settings)
            try Self.check(keys, chosen.source)
            return keys
        } catch {
            var failure = error
            failure.skipped = chosen.skipped
            throw failure
        }
    }

    /// The region that this instance runs in, for when nothing else says it.
    ///
    /// Nil where the metadata service is switched off, is not there or does not answer in its time.
    package func instanceRegion() async -> String? {
        guard let (settings, _) = try? resolved(),
            let endpoint = try? InstanceMetadataEndpoint(
                lookup: Lookup(environment: environment, keys: settings.profile.keys))
        else { return nil }
        return try? await metadata.region(at: endpoint)
    }

    private func chosen() throws(CredentialError) -> (settings: AWSSettings, source: ChosenSource) {
        let (settings, files) = try resolved()
        return (
            settings,
            try ChosenSource(settings: settings, environment: environment, files: files)
        )
    }

    private func resolved() throws(CredentialError) -> (settings: AWSSettings, files: ProfileFiles)
    {
        do throws(SettingsError) {
            let files = try ProfileFiles.read(environment: environment)
            return (
                try AWSSettings(overrides: overrides, environment: environment, files: files), files
            )
        } catch {
            throw CredentialError(.misconfigured, error.message, remedy: error.remedy)
        }
    }

    private func credentials(
        from source: CredentialSource, _ settings: AWSSettings
    ) async throws(CredentialError) -> Credentials {
        switch source {
        case .keys(let keys, _):
            return keys
        case .role(let role, let source):
            let keys = try await credentials(from: source, settings)
            return try await tokenService(settings).assume(role, with: keys)
        case .webIdentity(let identity):
            return try await tokenService(settings).assume(identity)
        case .process(let words, let profile):
            return try await CredentialProcess(
                words: words, profile: profile, environment: environment
            ).credentials()
        case .container(let endpoint):
            return try await endpoint.credentials(http)
        case .instanceMetadata(let endpoint):
            return try await metadata.credentials(at: endpoint)
        }
    }

    private func tokenService(
        _ settings: AWSSettings
    ) throws(CredentialError) -> SecurityTokenService {
        let known = settings.region ?? fallbackRegion
        let standard = known.flatMap { region in
            Endpoint.url(
                of: .tokens, region: region, fips: settings.usesFIPS,
                dualStack: settings.usesDualStack)
        }
        guard let region = known, let url = settings.stsEndpoint ?? standard else {
            throw CredentialError(
                .misconfigured, "a role can only be assumed where a region is known",
                remedy: "set aws.region, AWS_REGION, or region in the profile")
        }
        return SecurityTokenService(http: http, url: url, region: region, clock: clock)
    }

    /// Keys travel in headers, which a control character would break in two.
    private static func check(
        _ keys: Credentials, _ source: CredentialSource
    ) throws(CredentialError) {
        let texts = [keys.accessKeyID, keys.secretAccessKey, keys.sessionToken ?? ""]
        guard texts.allSatisfy({ $0.utf8.allSatisfy { (0x21...0x7e).contains($0) } }) else {
            throw CredentialError(
                .misconfigured, "the keys hold a blank, a line end or another odd character",
                remedy: "check where they come from: \(source)")
        }
    }
}

/// Asks a source that gives no answer again after a second, up to a number of attempts.
///
/// Only what may pass by itself (`unavailable`) is asked again. Longer patience is the cache's matter.
func repeating<Answer>(
    _ attempts: Int, _ ask: () async throws(CredentialError) -> Answer
) async throws(CredentialError) -> Answer {
    var attempt = 1
    while true {
        do throws(CredentialError) {
            return try await ask()
        } catch {
            guard error.kind == .unavailable, attempt < attempts else { throw error }
        }
        attempt += 1
        do {
            // Spread, so that a fleet that failed at once doesn't ask again at once.
            try await Task.sleep(for: .milliseconds(Int.random(in: 500...1500)))
        } catch {
            throw .cancelled
        }
    }
}

extension CredentialError {
    /// A request that brought no answer, seen by the one who needs keys.
    init(_ error: HTTPError, asking place: String, remedy: String?) {
        switch error.kind {
        case .cancelled: self = .cancelled
        case .malformed:
            self.init(.misconfigured, "\(place) cannot be asked: \(error)", remedy: remedy)
        default:
            self.init(.unavailable, "\(place) gave no answer: \(error)", remedy: remedy)
        }
    }
}
