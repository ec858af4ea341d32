extension LocalStreams {
    /// Something that goes wrong with one request.
    package enum Fault: String, CaseIterable, Sendable {
        /// `InternalServerError`, status 500.
        case internalError
        /// Status 503 with a page of HTML, as load balancers answer.
        case unavailable
        /// The connection is reset instead of an answer.
        case reset
        /// The connection is reset in the middle of the answer's body.
        case cut
        /// The answer's body comes in small pieces.
        case trickle
        /// The answer's `x-amz-crc32` is not that of its body.
        case wrongChecksum
        /// `ThrottlingException`.
        case throttled
        /// `ExpiredTokenException`.
        case expiredToken
        /// The service's clock is an hour ahead: `Date` says so, and signatures of the present have expired.
        case clockSkew
        /// `AccessDeniedException`.
        case accessDenied
        /// `ExpiredIteratorException` for an iterator of any age; GetRecords only.
        case expiredIterator
        /// `TrimmedDataAccessException`; GetRecords and GetShardIterator only.
        case trimmed
        /// `ResourceNotFoundException` for a shard; GetRecords and GetShardIterator only.
        case vanished
        /// `ProvisionedThroughputExceededException`.
        case capacityExceeded
        /// `RequestLimitExceeded`.
        case requestLimit
        /// `LimitExceededException` for a shard with too many readers; GetRecords only.
        case tooManyReaders
        /// `UnrecognizedClientException`, as for keys that the service does not know, or not yet.
        case unknownKeys

        /// Whether an operation can be answered so.
        func isPossible(for operation: Operation) -> Bool {
            switch self {
            case .expiredIterator, .tooManyReaders: operation == .getRecords
            case .trimmed, .vanished: operation == .getRecords || operation == .getShardIterator
            default: true
            }
        }

        /// Whether the request may have been served although its answer is lost.
        var canBeLate: Bool {
            switch self {
            case .internalError, .unavailable, .reset: true
            default: false
            }
        }

        /// Whether the request is served and only its answer suffers, or may be served for all that.
        var leavesRequest: Bool {
            switch self {
            case .cut, .trickle, .wrongChecksum, .clockSkew: true
            default: false
            }
        }

        /// What the service answers in its own words; nil where the answer is no such error.
        func error(for operation: Operation) -> ServiceError? {
            switch self {
            case .unavailable, .reset, .cut, .trickle, .wrongChecksum, .clockSkew: nil
            case .internalError:
                ServiceError(
                    family: .dynamo, name: "InternalServerError",
                    message: "The request processing has failed because of an unknown error, "
                        + "exception or failure.")
            case .throttled: .throttled
            case .expiredToken: .expiredToken
            case .tooManyReaders: .tooManyReaders
            case .unknownKeys: .unknownKeys
            case .accessDenied:
                ServiceError(
                    family: .front, name: "AccessDeniedException",
                    message: "User is not authorized to perform: dynamodb:\(operation.name) "
                        + "because no identity-based policy allows the "
                        + "dynamodb:\(operation.name) action")
            case .expiredIterator: .expiredIterator
            case .trimmed: .trimmed
            case .vanished: .notFound("Shard does not exist")
            case .capacityExceeded:
                ServiceError(
                    family: .dynamo, name: "ProvisionedThroughputExceededException",
                    message: "The level of configured provisioned throughput for the table was "
                        + "exceeded. Consider increasing your provisioning level with the "
                        + "UpdateTable API")
            case .requestLimit:
                ServiceError(
                    family: .dynamo, name: "RequestLimitExceeded",
                    message: "Throughput exceeds the current throughput limit for your account")
            }
        }
    }
}
