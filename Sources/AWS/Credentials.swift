package import FoundationEssentials

/// Keys that sign requests: one generation, used together or not at all.
package struct Credentials: Hashable, Sendable, CustomStringConvertible {
    /// The public name of the key.
    package let accessKeyID: String
    /// The secret half; never printed.
    package let secretAccessKey: String
    /// Sent with every request when the keys are temporary.
    package let sessionToken: String?
    /// When temporary keys end; nil for keys that do not.
    package let expiration: Date?

    /// Keys of one generation.
    package init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil,
        expiration: Date? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }

    /// The public name alone: the secret and the token never reach a log by accident.
    package var description: String { "Credentials(\(accessKeyID))" }
}
