/// An answer that refuses a request, as the service words it.
struct ServiceError: Error, Hashable, Sendable {
    /// The names that stand before an error's own name.
    enum Family: String, Sendable {
        /// Errors of the tables' and streams' own operations.
        case dynamo = "com.amazonaws.dynamodb.v20120810"
        /// Errors of the layer in front of every service: signatures, targets, bodies.
        case front = "com.amazon.coral.service"
        /// Values out of bounds.
        case validation = "com.amazon.coral.validate"
        /// Calls that come too fast.
        case availability = "com.amazon.coral.availability"
    }

    /// Where the error's name comes from.
    let family: Family
    /// The error's own name, such as `ResourceNotFoundException`.
    let name: String
    /// What is wrong, in the service's words.
    let message: String

    /// The HTTP status: every fault of the client is 400.
    var status: Int { name == "InternalServerError" ? 500 : 400 }

    /// The body of the answer.
    ///
    /// Some errors of the front write `Message` where the others write `message`.
    var body: [UInt8] {
        let type = JSON.text("\(family.rawValue)#\(name)")
        let isCapital = name == "SerializationException" || name == "AccessDeniedException"
        return isCapital
            ? JSON.members(["__type": type, "Message": .text(message)]).bytes
            : JSON.members(["__type": type, "message": .text(message)]).bytes
    }

    /// A value that the service does not take.
    static func validation(_ message: String) -> ServiceError {
        ServiceError(family: .validation, name: "ValidationException", message: message)
    }

    /// A table, stream or shard that does not exist, or no more.
    static func notFound(_ message: String) -> ServiceError {
        ServiceError(
            family: .dynamo, name: "ResourceNotFoundException",
            message: "Requested resource not found" + (message.isEmpty ? "" : ": \(message)"))
    }

    /// A member that has another type than it should.
    static func serialization(_ message: String) -> ServiceError {
        ServiceError(family: .front, name: "SerializationException", message: message)
    }

    /// More calls than the account is served.
    ///
    /// No model of the service lists this error for streams, and it is what they answer.
    static let throttled = ServiceError(
        family: .availability, name: "ThrottlingException", message: "Rate exceeded")

    /// More calls than a shard is served.
    static let tooManyReaders = ServiceError(
        family: .dynamo, name: "LimitExceededException",
        message: "Rate exceeded for the shard: too many readers")

    /// Keys, or the token of temporary ones, that are not known.
    static let unknownKeys = ServiceError(
        family: .front, name: "UnrecognizedClientException",
        message: "The security token included in the request is invalid.")

    /// Keys whose time is over.
    static let expiredToken = ServiceError(
        family: .front, name: "ExpiredTokenException",
        message: "The security token included in the request is expired")

    /// An iterator whose time is over.
    static let expiredIterator = ServiceError(
        family: .dynamo, name: "ExpiredIteratorException",
        message: "Iterator expired. It was issued more than 15 minutes ago")

    /// A place that is older than anything that the shard still has.
    static let trimmed = ServiceError(
        family: .dynamo, name: "TrimmedDataAccessException",
        message: "The requested position is older than the oldest record of the shard")

    /// Something that the service does and this emulator does not: said, rather than done wrongly.
    static func unsupported(_ what: String) -> ServiceError {
        .validation("LocalStreams does not support \(what)")
    }

    /// A fault of an item or a parameter.
    static func parameter(_ what: String) -> ServiceError {
        .validation("One or more parameter values were invalid: \(what)")
    }
}
