package import AWS
import FoundationEssentials
import Records
package import Walk

/// What a service said in place of an answer.
///
/// Source: Amazon DynamoDB Developer Guide, "Error handling with DynamoDB"; the forms of the body are those that
/// the SDKs read.
package struct ServiceError: Sendable {
    /// The HTTP status.
    package let status: Int
    /// The service's name for the error without its namespace, such as `ThrottlingException`; nil where
    /// somebody else answered in its place.
    package let code: String?
    /// The service's words, or the beginning of whatever came.
    package let message: String
    /// The service's name for the request.
    package let requestID: String?

    /// Longer texts are cut, in bytes: they end up in a log line.
    private static let messageLimit = 500
    /// The longest code or name of a request, in bytes; the service's own have less than half of that.
    private static let nameLimit = 100

    /// Reads an answer whose status is not 200.
    package init(_ response: HTTPResponse) {
        let body = try? JSONDecoder().decode(Body.self, from: Data(response.body))
        let header = response.headers["x-amzn-errortype"]
        status = response.status
        code = Self.code(body?.type) ?? Self.code(body?.code) ?? Self.code(header)
        requestID = Self.requestID(of: response)
        let words = body?.message ?? body?.capitalMessage
        message = (words ?? (code == nil ? String(decoding: response.body, as: UTF8.self) : ""))
            .line(bytesMax: Self.messageLimit)
    }

    /// The service's name for the request that an answer belongs to.
    static func requestID(of response: HTTPResponse) -> String? {
        response.headers["x-amzn-requestid"]?.line(bytesMax: nameLimit)
    }

    /// What the error means for the walk.
    package var kind: SourceError.Kind {
        guard let code else {
            // A proxy or a load balancer spoke. It knows nothing of shards, and its troubles pass.
            return kindOfStatus
        }
        if let kind = Self.kinds[code] { return kind }
        if Self.throttlingCodes.contains(code) { return .throttled }
        if isAboutCredentials || isAboutSignature || code.contains("AccessDenied") {
            return .denied
        }
        // Gateways have codes of their own; DynamoDB's refusals of a request all come with 400.
        return status == 400 ? .invalid : kindOfStatus
    }

    private var kindOfStatus: SourceError.Kind {
        switch status {
        case 401, 403, 407: .denied
        case 429, 509: .throttled
        default: .unavailable
        }
    }

    /// Whether the keys have ended or are not known: newer ones may do.
    package var isAboutCredentials: Bool { code.map(Self.credentialCodes.contains) ?? false }

    /// Whether the signature was refused: with a wrong time in it, a corrected one may do.
    package var isAboutSignature: Bool { code.map(Self.signatureCodes.contains) ?? false }

    private static let kinds: [String: SourceError.Kind] = [
        "ResourceNotFoundException": .notFound,
        "TrimmedDataAccessException": .trimmed,
        "ExpiredIteratorException": .expiredIterator,
        "ValidationException": .invalid,
        "SerializationException": .invalid,
        "UnknownOperationException": .invalid,
        // Whoever stands between may take headers away, for a while.
        "IncompleteSignatureException": .denied,
        "MissingAuthenticationTokenException": .denied,
        "MalformedHttpRequestException": .unavailable,
        "RequestAbortedException": .unavailable,
        "RequestTimeout": .unavailable,
        "RequestTimeoutException": .unavailable,
        "InternalServerError": .unavailable,
        "InternalFailure": .unavailable,
        "ServiceUnavailable": .unavailable,
        "ServiceUnavailableException": .unavailable,
    ]

    /// The codes that the SDKs take for throttling, whatever the status.
    private static let throttlingCodes: Set = [
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
        "RequestThrottledException", "TooManyRequestsException",
        "ProvisionedThroughputExceededException", "TransactionInProgressException",
        "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
        "PriorRequestNotComplete",
    ]

    private static let credentialCodes: Set = [
        "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException",
        "InvalidClientTokenId",
    ]

    private static let signatureCodes: Set = [
        "InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed",
        "RequestExpired", "RequestInTheFuture", "AuthFailure",
    ]

    /// The error as the walk knows it.
    func sourceError(_ operation: String) -> SourceError {
        SourceError(
            kind, operation: operation, code: code ?? "HTTP \(status)",
            message: message.isEmpty ? "no explanation was given" : message, requestID: requestID)
    }

    /// Takes the name out of `namespace#Name:where it is explained`.
    private static func code(_ text: String?) -> String? {
        let name = text?.split(separator: ":", omittingEmptySubsequences: false).first?
            .split(separator: "#").last
        return name?.line(bytesMax: nameLimit)
    }

    private struct Body: Decodable {
        let type: String?
        let code: String?
        let message: String?
        let capitalMessage: String?

        private enum Keys: String, CodingKey {
            case type = "__type"
            case code
            case message
            case capitalMessage = "Message"
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Keys.self)
            func text(_ key: Keys) -> String? { try? members.decode(String.self, forKey: key) }
            type = text(.type)
            code = text(.code)
            message = text(.message)
            capitalMessage = text(.capitalMessage)
        }
    }
}
