package import Records

/// A cache that changes are written to.
package protocol Sink: Sendable {
    /// Writes the changes once, and returns when the cache has acknowledged every one of them.
    ///
    /// A cancelled task finishes a write that is under way. After a failure any part of the changes may
    /// have been written: the caller applies all of them again or stops.
    func apply(_ changes: ChangeSet) async throws(SinkError)
}

/// A write that the cache did not acknowledge.
package struct SinkError: Error, Sendable, CustomStringConvertible {
    /// What the failure means for the walk.
    package enum Kind: String, Sendable {
        /// The server is away, or in a state that passes: wait, then apply the same changes again.
        case unavailable
        /// Login or permission is missing: apply again slowly, someone has to act.
        case denied
        /// A command was refused for its own sake: applying it again cannot help.
        case refused
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
