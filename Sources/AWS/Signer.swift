package import FoundationEssentials

/// Signature Version 4 as a value: a request, keys and a time in, headers out.
///
/// Made for requests to the root path: without a query string, which are all that DynamoDB, its streams and STS
/// know, and for presigned ones, whose query holds the signature. Source: AWS General Reference, "Signature
/// Version 4 signing process".
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
        let timestamp = Self.timestamp(date)
        request.headers.append(("x-amz-date", timestamp))
        if let token = credentials.sessionToken {
            request.headers.append(("x-amz-security-token", token))
        }
        let canonical = CanonicalRequest(request)
        request.headers.append(
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope(timestamp)), "
                    + "SignedHeaders=\(canonical.signedHeaders), "
                    + "Signature=\(signature(of: canonical, timestamp: timestamp))"
            ))
    }

    /// The query of a GET of the root path that is signed ahead, for whoever sends it within its lifetime.
    ///
    /// Only the host is signed beside the query, in lower case; `parameters` are those that the service asks for.
    /// The body is none, and its hash is that of no bytes. Source: AWS General Reference, "Create a signed AWS API
    /// request", authentication by query parameters.
    package func presignedQuery(
        host: String, _ parameters: [(name: String, value: String)], lifetimeSeconds: Int,
        at date: Date
    ) -> String {
        let timestamp = Self.timestamp(date)
        var parameters =
            parameters + [
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Credential", "\(credentials.accessKeyID)/\(scope(timestamp))"),
                ("X-Amz-Date", timestamp), ("X-Amz-Expires", String(lifetimeSeconds)),
                ("X-Amz-SignedHeaders", "host"),
            ]
        if let token = credentials.sessionToken {
            parameters.append(("X-Amz-Security-Token", token))
        }
        let canonical = CanonicalRequest(
            HTTPRequest(method: "GET", url: "https://\(host)/"), query: parameters)
        let signature = signature(of: canonical, timestamp: timestamp)
        return "\(canonical.query)&X-Amz-Signature=\(signature)"
    }

    /// The lower-case hexadecimal signature of a request that holds all headers to be signed.
    package func signature(of request: CanonicalRequest, timestamp: String) -> String {
        let text = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope(timestamp))\n\(request.digest)"
        return Digest.hex(Digest.hmac(text.utf8, key: signingKey(timestamp)))
    }

    /// The key for one day, region and service, made from the secret.
    package func signingKey(_ timestamp: String) -> [UInt8] {
        [String(timestamp.prefix(8)), region, service, "aws4_request"]
            .reduce(Array("AWS4\(credentials.secretAccessKey)".utf8)) { key, part in
                Digest.hmac(part.utf8, key: key)
            }
    }

    /// A time as the signature writes it, `20150830T123600Z`; parts of a second are left out.
    package static func timestamp(_ date: Date) -> String { date.formatted(timestampStyle) }

    private static let timestampStyle = Date.ISO8601FormatStyle(
        dateSeparator: .omitted, dateTimeSeparator: .standard, timeSeparator: .omitted,
        timeZoneSeparator: .omitted, includingFractionalSeconds: false, timeZone: .gmt)

    private func scope(_ timestamp: String) -> String {
        "\(timestamp.prefix(8))/\(region)/\(service)/aws4_request"
    }
}

/// A request in the one form that both sides of a signature compute.
package struct CanonicalRequest: Sendable {
    /// The six parts that a signature covers, each on its line or lines.
    package let text: String
    /// The names of the headers that are covered, joined by semicolons.
    package let signedHeaders: String
    /// The query string, its parameters in byte order.
    package let query: String

    /// The canonical form of a request, with its host and all its headers, and of a query that its address does not
    /// hold.
    package init(_ request: HTTPRequest, query parameters: [(name: String, value: String)] = []) {
        query = parameters.map { (Self.encoded($0.name), Self.encoded($0.value)) }
            .sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
        let headers = Self.headers(request)
        signedHeaders = headers.map(\.name).joined(separator: ";")
        let lines = headers.map { "\($0.name):\($0.value)\n" }.joined()
        let body = Digest.hex(Digest.sha256(request.body))
        text = "\(request.method)\n/\n\(query)\n\(lines)\n\(signedHeaders)\n\(body)"
    }

    /// The hexadecimal SHA-256 of the text.
    package var digest: String { Digest.hex(Digest.sha256(text.utf8)) }

    /// Names in lower case and in byte order; values of one name joined by commas in the order sent, each
    /// without blanks around it and with single ones inside.
    private static func headers(_ request: HTTPRequest) -> [(name: String, value: String)] {
        var values = ["host": [host(of: request.url)]]
        for (name, value) in request.headers {
            let words = value.split { $0 == " " || $0 == "\t" }
            values[name.lowercased(), default: []].append(words.joined(separator: " "))
        }
        return values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { ($0.key, $0.value.joined(separator: ",")) }
    }

    /// The host as it goes over the wire: lower case, with its port unless that is the scheme's own.
    static func host(of url: String) -> String {
        guard let parts = URLComponents(string: url), let host = parts.host else { return "" }
        let ports = ["http": 80, "https": 443]
        let port = parts.port.flatMap { port in
            ports[parts.scheme?.lowercased() ?? ""] == port ? nil : ":\(port)"
        }
        return host.lowercased() + (port ?? "")
    }

    /// A text as queries and forms hold it: everything but letters, digits and `-_.~` in hexadecimal.
    static func encoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { encoded, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."), UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                encoded += "%" + Digest.hex([byte]).uppercased()
            }
        }
    }
}
