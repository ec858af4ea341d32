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
    /// Errors of the front write `Message` where the others write `message`.
    var body: [UInt8] {
        let type = JSON.text("\(family.rawValue)#\(name)")
        return family == .front && name == "SerializationException"
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

    /// Something that the service does and this emulator does not: said, rather than done wrongly.
    static func unsupported(_ what: String) -> ServiceError {
        .validation("LocalStreams does not support \(what)")
    }

    /// A fault of an item or a parameter.
    static func parameter(_ what: String) -> ServiceError {
        .validation("One or more parameter values were invalid: \(what)")
    }
}
