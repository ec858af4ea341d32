package import Records

/// A cache that changes are written to.
///
/// It may hold the positions of the walk as well, each written in one transaction with its changes. Then a walk begins by
/// reading them (``memory(of:)``), and does so again whenever a write is refused as `outdated`.
package protocol Sink: Sendable {
    /// Whether the cache holds positions; where it does not, only ``apply(_:_:)`` is called, without a step.
    var holdsPositions: Bool { get }

    /// Writes the changes once, with the step, and returns when the cache has acknowledged every one of them.
    ///
    /// A cancelled task finishes a write that is under way. After a failure any part of the changes may have been
    /// written, or with a step all of them or none: the caller applies all of them again or stops.
    func apply(_ changes: ChangeSet, _ step: Step?) async throws(SinkError)

    /// Takes the stream over from whoever wrote it before, and reads the positions.
    func memory(of stream: StreamARN) async throws(SinkError) -> CacheMemory

    /// Replaces all positions of a stream.
    func establish(
        _ stream: StreamARN, _ memory: Checkpoint.Stream, era: Int
    ) async throws(SinkError)

    /// Forgets the positions of shards that are over.
    func forget(
        _ shards: [ShardID], of stream: StreamARN, era: Int
    ) async throws(SinkError)

    /// Keeps the positions of a stream that is over for as long as anybody may ask for them, and no longer.
    func expire(_ stream: StreamARN, era: Int) async throws(SinkError)

    /// Writes a sign of life to the positions, and so notices when they are lost or the cache takes no writes.
    func beat(_ stream: StreamARN, era: Int) async throws(SinkError)
}

/// A write that the cache did not acknowledge.
package struct SinkError: Error, Sendable, CustomStringConvertible {
    /// What the failure means for the walk.
    package enum Kind: String, Sendable {
        /// The server is away, or in a state that passes: wait, then apply the same changes again.
        case unavailable
        /// The server's memory is full: as unavailable, but what removes may still be written.
        case full
        /// Login or permission is missing: apply again slowly, someone has to act.
        case denied
        /// A command was refused for its own sake: applying it again cannot help.
        case refused
        /// The connection was lost and made again, or positions are lost: read them before anything else is written.
        case outdated
        /// Somebody else applies this stream under this name.
        case foreign
    }

    /// What the failure means for the walk.
    package let kind: Kind
    /// What happened, in words; never a value or a secret.
    package let message: String

    /// A failed write.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
}
