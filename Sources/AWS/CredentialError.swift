/// Why there are no keys to sign with, and what to do about it.
///
/// No text in it holds a secret, a token, or what a credential process printed.
package struct CredentialError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What the failure means for the caller.
    package enum Kind: String, Sendable {
        /// No source is set up, or one is set up wrongly: it stays so until someone acts.
        case misconfigured
        /// A service knows the caller and says no: ask again slowly, someone has to act.
        case denied
        /// The source gave no answer, or none that can be used now: ask again.
        case unavailable
        /// The waiting task was cancelled.
        case cancelled
    }

    /// A source that was looked at and left out.
    package struct Skipped: Hashable, Sendable, CustomStringConvertible {
        /// The source, such as `environment`.
        package let source: String
        /// Why it was left out, such as `AWS_ACCESS_KEY_ID is not set`.
        package let reason: String

        /// A source with the reason for leaving it out.
        package init(_ source: String, _ reason: String) {
            self.source = source
            self.reason = reason
        }

        package var description: String { "\(source): \(reason)" }
    }

    /// What the failure means for the caller.
    package let kind: Kind
    /// What failed.
    package let message: String
    /// What the operator can do; nil where waiting is all there is.
    package let remedy: String?
    /// The sources that were left out before, in the order in which they were looked at.
    package var skipped: [Skipped]

    /// A failure to get keys.
    package init(
        _ kind: Kind, _ message: String, remedy: String? = nil, skipped: [Skipped] = []
    ) {
        self.kind = kind
        self.message = message
        self.remedy = remedy
        self.skipped = skipped
    }

    /// A wait that ended because its task was cancelled.
    package static let cancelled = CredentialError(
        .cancelled, "waiting for credentials was cancelled")

    package var description: String {
        var text = message
        if !skipped.isEmpty {
            let list = skipped.map(\.description).joined(separator: "; ")
            text += " (looked at and left out: \(list))"
        }
        if let remedy { text += ". To mend it: \(remedy)" }
        return text
    }
}
