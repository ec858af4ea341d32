package import Walk

/// How a server that is reached over TLS is verified, and how we show who we are.
///
/// The files are read anew for each connection, so that certificates which were replaced are found.
package struct RedisTLS: Hashable, Sendable {
    /// A PEM file of the authorities to trust.
    package var caFile: String?
    /// A folder of such files, named by their hashes as `openssl rehash` does; with neither, the system's are trusted.
    package var caDirectory: String?
    /// A PEM file of the certificate that we show, followed by those between it and its authority.
    package var certificateFile: String?
    /// A PEM file of the private key that belongs to it.
    package var keyFile: String?
    /// The name that certificates must be for, in place of the host that is dialled.
    package var serverName: String?
    /// Whether anybody at all is taken for the server.
    package var skipsVerification = false

    /// What holds where nothing is said: the system's authorities, no certificate of our own.
    package init() {}
}

extension RedisConfiguration {
    /// Whether the connection is encrypted and nobody looks at who is at its other end.
    package var isUnverified: Bool { address.isSecure && tls.skipsVerification }

    /// Reads the files that TLS needs, as each connection does.
    ///
    /// - Throws: `denied` where one of them cannot be used, with its key in the configuration.
    package func checkFiles() throws(SinkError) {
        if address.isSecure { _ = try TLSContext(tls) }
    }
}
