import AWS
import FoundationEssentials

/// Checks signatures of Signature Version 4 as the service does, with the service's answers.
struct Authorization: Sendable {
    /// How far a signature's time may be from the present, in seconds.
    static let skewMax: TimeInterval = 5 * 60

    /// The only keys that may sign.
    private(set) var credentials: Credentials
    /// Keys that might sign before.
    private var expired: [Credentials] = []
    /// The region that requests have to be signed for.
    let region: String

    /// A check that knows one set of keys.
    init(credentials: Credentials, region: String) {
        self.credentials = credentials
        self.region = region
    }

    /// From now on `credentials` may sign, and those before them have expired.
    mutating func replaceKeys(with credentials: Credentials) {
        // Keys that come back are good again; the last few are enough to tell expired from unknown.
        expired = (expired + [self.credentials]).filter { $0 != credentials }.suffix(16)
        self.credentials = credentials
    }

    /// The parts of an `Authorization` header.
    private struct Claim {
        let accessKeyID: String
        /// Date, region, service and the closing word.
        let scope: [String]
        let signedHeaders: [String]
        let signature: String
    }

    /// Checks a request.
    /// - Throws: the service's answer to a signature that is missing, incomplete, out of time or wrong.
    func check(_ request: HTTPRequest, at now: Date) throws(ServiceError) {
        let claim = try Self.claim(in: request)
        guard let stamp = Self.value("x-amz-date", in: request) else {
            throw Self.error(
                "IncompleteSignatureException",
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
            )
        }
        let token = Self.value("x-amz-security-token", in: request)
        let isExpired = expired.contains {
            $0.accessKeyID == claim.accessKeyID && $0.sessionToken == token
        }
        if isExpired { throw .expiredToken }
        guard claim.accessKeyID == credentials.accessKeyID, token == credentials.sessionToken
        else {
            throw .unknownKeys
        }
        try checkScope(claim, stamp)
        try Self.checkTime(stamp, now)
        let signed = HTTPRequest(
            method: request.method, url: request.url,
            headers: claim.signedHeaders.filter { $0 != "host" }
                .map { name in (name, Self.value(name, in: request) ?? "") },
            body: request.body)
        let signer = Signer(credentials: credentials, region: region, service: "dynamodb")
        let signature = signer.signature(of: CanonicalRequest(signed), timestamp: stamp)
        guard signature == claim.signature else {
            throw Self.invalid(
                "The request signature we calculated does not match the signature you provided. "
                    + "Check your AWS Secret Access Key and signing method. Consult the service "
                    + "documentation for details.")
        }
    }

    private static func claim(in request: HTTPRequest) throws(ServiceError) -> Claim {
        guard let header = value("authorization", in: request) else {
            throw error("MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        let scheme = "AWS4-HMAC-SHA256 "
        var parts: [Substring: Substring] = [:]
        if header.hasPrefix(scheme) {
            for part in header.dropFirst(scheme.count).split(separator: ",") {
                let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { parts[pair[0]] = pair[1] }
            }
        }
        let missing = ["Credential", "Signature", "SignedHeaders"].filter {
            parts[Substring($0)] == nil
        }
        let credential = parts["Credential"]?.split(separator: "/").map(String.init) ?? []
        guard missing.isEmpty, let signature = parts["Signature"],
            let headers = parts["SignedHeaders"]
        else {
            let complaints = missing.map { "Authorization header requires '\($0)' parameter." }
            throw error("IncompleteSignatureException", complaints.joined(separator: " "))
        }
        guard credential.count == 5 else {
            throw error(
                "IncompleteSignatureException",
                "Credential must have exactly 5 slash-delimited elements, e.g. "
                    + "keyid/date/region/service/term, got '\(parts["Credential"] ?? "")'")
        }
        let names = headers.split(separator: ";").map(String.init)
        guard names.contains("host") else {
            throw invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
        }
        return Claim(
            accessKeyID: credential[0], scope: Array(credential.dropFirst()),
            signedHeaders: names, signature: String(signature))
    }

    private func checkScope(_ claim: Claim, _ stamp: String) throws(ServiceError) {
        guard claim.scope[0] == stamp.prefix(8) else {
            throw Self.invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
                    + "HTTP: '\(claim.scope[0])' != '\(stamp.prefix(8))', from '\(stamp)'.")
        }
        guard claim.scope[1] == region else {
            throw Self.invalid(
                "Credential should be scoped to a valid region, not '\(claim.scope[1])'. ")
        }
        guard claim.scope[2] == "dynamodb" else {
            throw Self.invalid("Credential should be scoped to correct service: 'dynamodb'. ")
        }
        guard claim.scope[3] == "aws4_request" else {
            throw Self.invalid(
                "Credential should be scoped with a valid terminator: 'aws4_request', not "
                    + "'\(claim.scope[3])'. ")
        }
    }

    private static func checkTime(_ stamp: String, _ now: Date) throws(ServiceError) {
        let style = Date.ISO8601FormatStyle().dateSeparator(.omitted).timeSeparator(.omitted)
        guard let date = try? Date(stamp, strategy: style) else {
            throw error(
                "IncompleteSignatureException",
                "Date must be in ISO-8601 'basic format'. Got '\(stamp)'.")
        }
        let present = Signer.timestamp(now)
        let bounds = (now - skewMax, now + skewMax)
        if date < bounds.0 {
            throw invalid(
                "Signature expired: \(stamp) is now earlier than \(Signer.timestamp(bounds.0)) "
                    + "(\(present) - 5 min.)")
        }
        if date > bounds.1 {
            throw invalid(
                "Signature not yet current: \(stamp) is still later than "
                    + "\(Signer.timestamp(bounds.1)) (\(present) + 5 min.)")
        }
    }

    private static func value(_ name: String, in request: HTTPRequest) -> String? {
        let values = request.headers.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    private static func invalid(_ message: String) -> ServiceError {
        error("InvalidSignatureException", message)
    }

    private static func error(_ name: String, _ message: String) -> ServiceError {
        ServiceError(family: .front, name: name, message: message)
    }
}
