package import FoundationEssentials

/// Signature Version 4 as a value: a request, keys and a time in, headers out.
///
/// Made for requests to the root path without a query string, which are all that DynamoDB, its streams and
/// STS know. Source: AWS General Reference, "Signature Version 4 signing process".
package struct Signer: Sendable {
    /// The keys that sign.
    package let credentials: Credentials
    /// The region that the service lives in.
    package let region: String
    /// The service's name for signing, such as `dynamodb` (for its streams too) or `sts`.
    package let service: String

    /// A signer for one service in one region.
    package init(credentials: Credentials, region: String, service: String) {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// Adds `x-amz-date`, the session token where there is one, and `authorization`.
    ///
    /// What is signed is `host`, as libcurl will send it, and every header that the request has. A request
    /// is signed once, just before it is sent: each further attempt starts from the unsigned one. The date
    /// is the service's present time, as well as it is known.
    package func sign(_ request: inout HTTPRequest, at date: Date) {
        request.headers.append(("x-amz-date", Self.timestamp(date)))
        if let token = credentials.sessionToken {
            request.headers.append(("x-amz-security-token", token))
        }
        let stamp = Self.timestamp(date)
        let signature = signature(of: request, timestamp: stamp)
        request.headers.append(
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope(stamp)), "
                    + "SignedHeaders=\(Self.signedHeaders(request)), Signature=\(signature)"
            ))
    }

    /// The lower-case hexadecimal signature of a request that holds all headers to be signed.
    package func signature(of request: HTTPRequest, timestamp: String) -> String {
        let canonical = Digest.hex(Digest.sha256(Self.canonicalRequest(request).utf8))
        let text = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope(timestamp))\n\(canonical)"
        return Digest.hex(Digest.hmac(text.utf8, key: signingKey(timestamp)))
    }

    /// The six parts of a request that a signature covers.
    package static func canonicalRequest(_ request: HTTPRequest) -> String {
        let headers = canonicalHeaders(request).map { "\($0.name):\($0.value)\n" }.joined()
        let body = Digest.hex(Digest.sha256(request.body))
        return "\(request.method)\n/\n\n\(headers)\n\(signedHeaders(request))\n\(body)"
    }

    /// The key for one day, region and service, made from the secret.
    package func signingKey(_ timestamp: String) -> [UInt8] {
        [String(timestamp.prefix(8)), region, service, "aws4_request"]
            .reduce(Array("AWS4\(credentials.secretAccessKey)".utf8)) { key, part in
                Digest.hmac(part.utf8, key: key)
            }
    }

    /// A time as the signature writes it, `20150830T123600Z`.
    package static func timestamp(_ date: Date) -> String {
        date.formatted(
            .iso8601.dateSeparator(.omitted).timeSeparator(.omitted).timeZone(separator: .omitted))
    }

    private func scope(_ timestamp: String) -> String {
        "\(timestamp.prefix(8))/\(region)/\(service)/aws4_request"
    }

    private static func signedHeaders(_ request: HTTPRequest) -> String {
        canonicalHeaders(request).map(\.name).joined(separator: ";")
    }

    /// Names in lower case and in byte order; values of one name joined by commas in the order sent.
    private static func canonicalHeaders(
        _ request: HTTPRequest
    ) -> [(name: String, value: String)] {
        var values = ["host": [host(of: request.url)]]
        for (name, value) in request.headers {
            let words = value.split(separator: " ", omittingEmptySubsequences: true)
            values[name.lowercased(), default: []].append(words.joined(separator: " "))
        }
        return values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { ($0.key, $0.value.joined(separator: ",")) }
    }

    /// The host as it goes over the wire: lower case, with its port unless that is the scheme's own.
    static func host(of url: String) -> String {
        guard let parts = URLComponents(string: url), let host = parts.host else { return "" }
        let port = parts.port.map { port in
            (parts.scheme == "https" && port == 443) || (parts.scheme == "http" && port == 80)
                ? "" : ":\(port)"
        }
        return host.lowercased() + (port ?? "")
    }
}
