import FoundationEssentials
import Logging

/// Where the instance metadata service of EC2 is asked, and how patiently.
package struct InstanceMetadataEndpoint: Hashable, Sendable {
    /// The address without a slash at its end.
    package let url: String
    /// How long a connection may take.
    let connectTimeout: Duration
    /// How long one request may take as a whole.
    let timeout: Duration
    /// How often a question without an answer is asked.
    let attempts: Int

    /// The endpoint that the environment and the profile set, otherwise that of every instance; nil where
    /// `AWS_EC2_METADATA_DISABLED` is true.
    /// - Throws: `CredentialError` where a setting can't be used.
    init?(lookup: Lookup) throws(CredentialError) {
        guard lookup.environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else {
            return nil
        }
        url = try Self.address(lookup)
        let seconds = try Self.number(
            lookup, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout", 1...60)
        connectTimeout = .seconds(seconds ?? 1)
        timeout = .seconds(seconds ?? 3)
        attempts =
            try Self.number(
                lookup, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts", 1...10
            ) ?? 3
    }

    private static func address(_ lookup: Lookup) throws(CredentialError) -> String {
        if let custom = lookup.value(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")
        {
            guard custom.hasPrefix("http://") || custom.hasPrefix("https://") else {
                throw CredentialError(
                    .misconfigured, "AWS_EC2_METADATA_SERVICE_ENDPOINT is not an address",
                    remedy: "give one like http://169.254.169.254")
            }
            return custom.hasSuffix("/") ? String(custom.dropLast()) : custom
        }
        let mode = lookup.value(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode")
        switch mode?.lowercased() {
        case nil, "ipv4": return "http://169.254.169.254"
        case "ipv6": return "http://[fd00:ec2::254]"
        default:
            throw CredentialError(
                .misconfigured, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is \(mode ?? "")",
                remedy: "use IPv4 or IPv6")
        }
    }

    private static func number(
        _ lookup: Lookup, _ variable: String, _ key: String, _ range: ClosedRange<Int>
    ) throws(CredentialError) -> Int? {
        guard let text = lookup.value(variable, key) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw CredentialError(
                .misconfigured, "\(variable) is \(text)",
                remedy: "give a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

/// The instance metadata service of EC2, in its second version alone.
///
/// The state it guards: the session token, which every question must carry. The first version of the service,
/// without a token, is not spoken: what it would bring can be had by any request that a program is tricked into.
/// Source: Amazon EC2 User Guide, "Use the Instance Metadata Service".
actor InstanceMetadata {
    private let http: HTTPClient
    private let clock: ServerClock
    private let logger: Logger
    private var session: Session?

    private struct Session {
        let url: String
        let token: String
    }

    /// The longest life that a token may have, in seconds; when it has ended the service says so (401).
    private static let tokenLife = "21600"
    private static let rolePath = "/latest/meta-data/iam/security-credentials/"

    /// A service that has not been asked yet.
    init(http: HTTPClient, clock: ServerClock, logger: Logger) {
        self.http = http
        self.clock = clock
        self.logger = logger
    }

    /// The keys of the role that is attached to the instance.
    func credentials(
        at endpoint: InstanceMetadataEndpoint
    ) async throws(CredentialError) -> Credentials {
        try await repeating(endpoint.attempts) { () async throws(CredentialError) in
            try await self.roleCredentials(endpoint)
        }
    }

    /// The region that the instance runs in.
    func region(at endpoint: InstanceMetadataEndpoint) async throws(CredentialError) -> String {
        try await repeating(endpoint.attempts) { () async throws(CredentialError) in
            let response = try await self.get("/latest/meta-data/placement/region", endpoint)
            guard response.status == 200, let region = Self.word(response.body) else {
                throw Self.failure(response.status, "the region", endpoint)
            }
            return region
        }
    }

    private func roleCredentials(
        _ endpoint: InstanceMetadataEndpoint
    ) async throws(CredentialError) -> Credentials {
        let roles = try await get(Self.rolePath, endpoint)
        guard roles.status != 404, !roles.body.isEmpty else {
            throw CredentialError(
                .unavailable, "no role is attached to this instance",
                remedy: "attach an instance profile with a role to it")
        }
        guard roles.status == 200, let role = Self.word(roles.body) else {
            throw Self.failure(roles.status, "the role's name", endpoint)
        }
        let response = try await get(Self.rolePath + role, endpoint)
        guard response.status == 200, let issued = IssuedKeys(response.body) else {
            throw Self.failure(response.status, "the keys of the role \(role)", endpoint)
        }
        if let code = issued.code, code != "Success" {
            throw CredentialError(
                .denied,
                "EC2 could not assume the role \(role) for this instance: "
                    + (issued.complaint ?? code),
                remedy: "let the role's trust policy name ec2.amazonaws.com")
        }
        guard issued.token != nil, issued.expiration != nil else {
            throw CredentialError(
                .unavailable, "the instance metadata gave keys without a Token or an Expiration")
        }
        return extended(try issued.credentials(from: "the instance metadata"))
    }

    /// Keys that are near or past their end mean that EC2 cannot renew them just now; AWS goes on
    /// accepting them, so they are used and asked for again later.
    private func extended(_ keys: Credentials) -> Credentials {
        guard let end = keys.expiration else { return keys }
        let window = TimeInterval(15 * 60 + Int.random(in: 120...600))
        guard clock.now() >= end - window else { return keys }
        logger.warning(
            "the instance metadata gave keys near their end: they stay in use",
            metadata: [
                "expires": "\(end.ISO8601Format())", "used_for_seconds": "\(Int(window))",
            ])
        return Credentials(
            accessKeyID: keys.accessKeyID, secretAccessKey: keys.secretAccessKey,
            sessionToken: keys.sessionToken, expiration: clock.now() + window)
    }

    /// Asks with the token, and once more with a new one where it has ended.
    private func get(
        _ path: String, _ endpoint: InstanceMetadataEndpoint
    ) async throws(CredentialError) -> HTTPResponse {
        let known = session?.url == endpoint.url ? session?.token : nil
        let token: String
        if let known { token = known } else { token = try await newToken(endpoint) }
        let response = try await get(path, endpoint, token)
        guard response.status == 401 else { return response }
        return try await get(path, endpoint, try await newToken(endpoint))
    }

    private func get(
        _ path: String, _ endpoint: InstanceMetadataEndpoint, _ token: String
    ) async throws(CredentialError) -> HTTPResponse {
        let header = (name: "x-aws-ec2-metadata-token", value: token)
        return try await send("GET", path, header, endpoint)
    }

    private func newToken(
        _ endpoint: InstanceMetadataEndpoint
    ) async throws(CredentialError) -> String {
        session = nil
        let header = (name: "x-aws-ec2-metadata-token-ttl-seconds", value: Self.tokenLife)
        let response = try await send("PUT", "/latest/api/token", header, endpoint)
        guard response.status == 200, let token = Self.word(response.body) else {
            throw Self.failure(response.status, "a session token (IMDSv2)", endpoint)
        }
        session = Session(url: endpoint.url, token: token)
        return token
    }

    private func send(
        _ method: String, _ path: String, _ header: (name: String, value: String),
        _ endpoint: InstanceMetadataEndpoint
    ) async throws(CredentialError) -> HTTPResponse {
        var request = HTTPRequest(method: method, url: endpoint.url + path, headers: [header])
        request.connectTimeout = endpoint.connectTimeout
        request.timeout = endpoint.timeout
        request.bodyLimit = IssuedKeys.largest
        request.bypassesProxy = true
        do {
            return try await http.send(request)
        } catch {
            throw CredentialError(
                error, asking: "the instance metadata at \(endpoint.url)",
                // The answer to PUT travels no further than the hop limit: it is lost, not refused.
                remedy: error.kind == .timedOut
                    ? "in a container, raise the instance's metadata hop limit to 2 (3 behind an "
                        + "overlay network); outside EC2, set up another source of credentials"
                    : "outside EC2, set up another source of credentials")
        }
    }

    private static func failure(
        _ status: Int, _ what: String, _ endpoint: InstanceMetadataEndpoint
    ) -> CredentialError {
        CredentialError(
            status == 403 ? .denied : .unavailable,
            "the instance metadata at \(endpoint.url) answered \(status) when asked for \(what)",
            remedy: status == 403
                ? "switch the instance's metadata on, and ask for it without X-Forwarded-For" : nil)
    }

    /// The first line of an answer, if it is a word of printable characters.
    private static func word(_ body: [UInt8]) -> String? {
        let line = body.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard !line.isEmpty, line.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        return String(decoding: line, as: UTF8.self)
    }
}
