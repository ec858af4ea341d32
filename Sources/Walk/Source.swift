package import Records

/// Where in a shard a new iterator begins.
package enum IteratorStart: Hashable, Sendable {
    /// At the oldest record that is still there.
    case trimHorizon
    /// After the newest record of this moment.
    case latest
    /// At the record with this number; the shard's own start is allowed.
    case at(SequenceNumber)
    /// After the record with this number.
    case after(SequenceNumber)
}

/// Which part of a stream's shards a listing asks for.
package enum ShardSelection: Hashable, Sendable {
    /// All shards after the given one, or from the first one.
    case all(after: ShardID?)
    /// The direct children of one shard.
    case children(of: ShardID)
}

/// A stream service: the three calls that the walk makes, each of them one attempt.
///
/// The walk repeats a call that failed; a source does not, except to mend its own signature or credentials.
package protocol Source: Sendable {
    /// One page of the stream's description.
    func describe(
        _ stream: StreamARN, _ selection: ShardSelection
    ) async throws(SourceError) -> StreamDescription

    /// An iterator for a shard.
    func shardIterator(
        _ stream: StreamARN, _ shard: ShardID, _ start: IteratorStart
    ) async throws(SourceError) -> ShardIterator

    /// The page at an iterator. The same iterator may be used again.
    func page(at iterator: ShardIterator) async throws(SourceError) -> Page
}

/// A call to the stream service that did not give an answer.
package struct SourceError: Error, Sendable, CustomStringConvertible {
    /// What the failure means for the walk.
    package enum Kind: String, Sendable {
        /// Too many calls: wait longer, then ask again.
        case throttled
        /// The service or the way to it failed: wait, then ask again.
        case unavailable
        /// Permission or credentials are missing: ask again slowly, someone has to act.
        case denied
        /// The iterator has lived for more than 15 minutes: get a new one.
        case expiredIterator
        /// The position is older than what the stream keeps: records were lost.
        case trimmed
        /// The stream or the shard does not exist, or no more.
        case notFound
        /// The request is not one that the service takes: asking again cannot help.
        case invalid
        /// The task was cancelled.
        case cancelled
    }

    /// What the failure means for the walk.
    package let kind: Kind
    /// The call, such as `GetRecords`.
    package let operation: String
    /// The service's own code, or nil where no answer came.
    package let code: String?
    /// What happened, in words; never a secret.
    package let message: String
    /// The service's name for the request.
    package let requestID: String?

    /// A failed call.
    package init(
        _ kind: Kind, operation: String, code: String? = nil, message: String,
        requestID: String? = nil
    ) {
        self.kind = kind
        self.operation = operation
        self.code = code
        self.message = message
        self.requestID = requestID
    }

    package var description: String {
        let code = code.map { "\($0): " } ?? ""
        let request = requestID.map { " (request \($0))" } ?? ""
        return "\(operation): \(code)\(message)\(request)"
    }
}
