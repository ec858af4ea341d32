/// A request for an HTTP server.
package struct HTTPRequest: Sendable {
    /// `GET`, `POST` or `PUT`.
    package var method: String
    /// The absolute address; its scheme is `http` or `https`.
    package var url: String
    /// Names and values in the order in which they are sent.
    package var headers: [(name: String, value: String)]
    /// The body; empty for none.
    package var body: [UInt8]
    /// How long a connection may take: name, TCP, proxy and TLS together.
    package var connectTimeout: Duration = .seconds(5)
    /// How long everything may take, from the call of `send` to the last byte; the wait for a free connection
    /// counts as well, so that a signature does not grow old in a queue.
    package var timeout: Duration = .seconds(30)
    /// The largest body that is accepted in answer, in bytes.
    package var bodyLimit = 16 << 20
    /// Whether the request goes straight to its host although a proxy is set: the endpoints of a host's or
    /// container's own credentials are not to be asked through one.
    package var bypassesProxy = false

    /// A request as it is to be sent, with the default limits.
    package init(
        method: String, url: String, headers: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// An answer of an HTTP server.
package struct HTTPResponse: Sendable {
    /// The status, such as 200.
    package let status: Int
    /// The headers of the last answer, names in lower case, values trimmed; those of one name joined by `, `.
    package let headers: [String: String]
    /// The whole body.
    package let body: [UInt8]

    /// An answer with its parts.
    package init(status: Int, headers: [String: String], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// A request that brought no whole answer.
package struct HTTPError: Error, Sendable, CustomStringConvertible {
    /// What went wrong.
    package enum Kind: String, Sendable {
        /// No connection: name, address, port or proxy.
        case unreachable
        /// One of the two time limits passed.
        case timedOut
        /// The connection broke, or the answer was not HTTP.
        case broken
        /// The server's certificate or the TLS handshake failed.
        case tls
        /// The body is larger than the limit.
        case tooLarge
        /// The task was cancelled.
        case cancelled
        /// The request itself cannot be sent: its address or a header is malformed.
        case malformed
    }

    /// What went wrong.
    package let kind: Kind
    /// The HTTP library's own words, with the host; never a header or a body.
    package let message: String

    /// A failed request.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
}
