package import AWS
import FoundationEssentials
import Records
package import Walk

/// Calls of one service in one region: JSON in and JSON out, signed, each of them one attempt.
///
/// Two failures it mends itself, each at most once in a call: keys that have ended or are not known are fetched
/// anew, and a signature that this host's wrong clock has spoilt is made again with the service's time.
/// Everything else is the caller's to repeat.
package struct ServiceClient: Sendable {
    /// The two services that share a protocol.
    package enum API: String, Sendable {
        /// DynamoDB's tables.
        case tables = "DynamoDB_20120810"
        /// The tables' streams.
        case streams = "DynamoDBStreams_20120810"
    }

    /// What all clients of a process share.
    package struct Connection: Sendable {
        let http: HTTPClient
        let credentials: CredentialCache
        let clock: ServerClock
        let connectTimeout: Duration
        let timeout: Duration

        /// The way to AWS: connections, keys, the time to sign with, and how long a call may take.
        package init(
            http: HTTPClient, credentials: CredentialCache, clock: ServerClock,
            connectTimeout: Duration = .seconds(5), timeout: Duration = .seconds(30)
        ) {
            self.http = http
            self.credentials = credentials
            self.clock = clock
            self.connectTimeout = connectTimeout
            self.timeout = timeout
        }
    }

    /// The region that requests are signed for.
    package let region: String
    private let api: API
    private let url: String
    private let connection: Connection

    /// Signatures are refused when they are more than five minutes off; closer ones had another fault.
    ///
    /// In
    /// seconds.
    private static let skewLimit: TimeInterval = 4 * 60

    /// A client of the service at `url`, whose requests are signed for `region`.
    package init(_ api: API, at url: String, region: String, over connection: Connection) {
        self.api = api
        self.url = url
        self.region = region
        self.connection = connection
    }

    /// Calls an operation with the members of `input` and reads the answer's.
    func call<Output: Decodable>(
        _ operation: String, _ input: some Encodable, answering: Output.Type = Output.self
    ) async throws(SourceError) -> Output {
        let answer = try await call(operation, JSONBody.encode(input))
        do {
            return try JSONBody.decode(Output.self, from: answer)
        } catch {
            throw Self.malformed(operation, error)
        }
    }

    /// Calls an operation and returns the body of its answer, complete and as the service sent it.
    ///
    /// - Throws: `SourceError`. An answer that is damaged, or that somebody else gave in the service's
    ///   place, is `.unavailable`, or `.denied` where a proxy refuses.
    package func call(_ operation: String, _ body: [UInt8]) async throws(SourceError) -> [UInt8] {
        var credentials = try await credentials(operation)
        var hasRenewed = false
        var hasCorrectedTime = false
        while true {
            let time = connection.clock.now()
            let response = try await send(operation, body, credentials, at: time)
            connection.clock.observe(response)
            guard response.status != 200 else { return response.body }
            let failure = ServiceError(response)
            if failure.isAboutCredentials, !hasRenewed {
                hasRenewed = true
                credentials = try await self.credentials(operation, after: credentials)
            } else if failure.isAboutSignature, !hasCorrectedTime, let date = response.date,
                abs(date.timeIntervalSince(time)) > Self.skewLimit
            {
                hasCorrectedTime = true
            } else {
                throw failure.sourceError(operation)
            }
        }
    }

    /// The longest words of a stranger in an error, in bytes: they end up in a log line.
    private static let wordsMax = 500

    /// The failure of an answer that is not what the operation answers.
    static func malformed(_ operation: String, _ reason: some Error) -> SourceError {
        SourceError(
            .unavailable, operation: operation,
            message: "the answer is malformed: " + "\(reason)".line(bytesMax: wordsMax))
    }

    private func send(
        _ operation: String, _ body: [UInt8], _ credentials: Credentials, at time: Date
    ) async throws(SourceError) -> HTTPResponse {
        var request = HTTPRequest(method: "POST", url: url, body: body)
        request.connectTimeout = connection.connectTimeout
        request.timeout = connection.timeout
        request.headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "\(api.rawValue).\(operation)"),
        ]
        Signer(credentials: credentials, region: region, service: "dynamodb")
            .sign(&request, at: time)
        let response: HTTPResponse
        do {
            response = try await connection.http.send(request)
        } catch {
            throw SourceError(Self.kind(error), operation: operation, message: error.message)
        }
        if let checksum = response.headers["x-amz-crc32"],
            UInt32(checksum) != CRC32.checksum(response.body)
        {
            throw SourceError(
                .unavailable, operation: operation,
                message: "the answer was damaged on its way: x-amz-crc32 does not agree",
                requestID: ServiceError.requestID(of: response))
        }
        return response
    }

    private func credentials(
        _ operation: String, after rejected: Credentials? = nil
    ) async throws(SourceError) -> Credentials {
        do {
            guard let rejected else { return try await connection.credentials.credentials() }
            return try await connection.credentials.renew(rejected)
        } catch {
            let kind: SourceError.Kind =
                switch error.kind {
                case .misconfigured, .denied: .denied
                case .unavailable: .unavailable
                case .cancelled: .cancelled
                }
            // What is to be done comes after what others have said.
            let short = CredentialError(
                error.kind, error.message.line(bytesMax: Self.wordsMax), remedy: error.remedy,
                skipped: error.skipped)
            throw SourceError(kind, operation: operation, message: "no credentials: \(short)")
        }
    }

    private static func kind(_ error: HTTPError) -> SourceError.Kind {
        switch error.kind {
        case .cancelled: .cancelled
        case .malformed: .invalid
        case .unreachable, .timedOut, .broken, .tls, .tooLarge: .unavailable
        }
    }
}
