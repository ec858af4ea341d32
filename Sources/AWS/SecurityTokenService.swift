import FoundationEssentials

/// AWS's Security Token Service: keys of a role for those who may assume it.
///
/// Source: AWS Security Token Service API Reference, version 2011-06-15.
struct SecurityTokenService: Sendable {
    /// The client that carries the calls.
    let http: HTTPClient
    /// The address, such as `https://sts.eu-west-1.amazonaws.com`.
    let url: String
    /// The region that signatures are made for.
    let region: String
    /// The service's time: signatures are made by it, and it learns from the answers.
    let clock: ServerClock

    /// Assumes a role with the keys of another identity.
    func assume(
        _ role: AssumedRole, with keys: Credentials
    ) async throws(CredentialError) -> Credentials {
        var form = [
            ("Action", "AssumeRole"), ("RoleArn", role.arn),
            ("RoleSessionName", role.sessionName ?? sessionName),
        ]
        if let external = role.externalID { form.append(("ExternalId", external)) }
        if let seconds = role.duration { form.append(("DurationSeconds", "\(seconds)")) }
        return try await repeating(3) { () async throws(CredentialError) in
            // Signed anew each time: a signature is good for one attempt.
            var request = request(form)
            Signer(credentials: keys, region: region, service: "sts")
                .sign(&request, at: clock.now())
            return try await send(request, role.arn)
        }
    }

    /// Assumes a role with the token of an identity provider; the call is not signed.
    func assume(_ identity: WebIdentity) async throws(CredentialError) -> Credentials {
        try await repeating(3) { () async throws(CredentialError) in
            let token = try readToken(identity.tokenFile, "the web identity's token file")
            let form = [
                ("Action", "AssumeRoleWithWebIdentity"), ("RoleArn", identity.roleARN),
                ("RoleSessionName", identity.sessionName ?? sessionName),
                ("WebIdentityToken", token),
            ]
            return try await send(request(form), identity.roleARN)
        }
    }

    /// A name for the session that says who began it and when, in whole seconds of the Unix clock.
    private var sessionName: String { "shardwalk-\(Int(clock.now().timeIntervalSince1970))" }

    private func request(_ form: [(String, String)]) -> HTTPRequest {
        let body = (form + [("Version", "2011-06-15")])
            .map { "\($0.0)=\(CanonicalRequest.encoded($0.1))" }.joined(separator: "&")
        var request = HTTPRequest(
            method: "POST", url: url + "/",
            headers: [("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: Array(body.utf8))
        request.bodyLimit = IssuedKeys.largest
        return request
    }

    private func send(
        _ request: HTTPRequest, _ role: String
    ) async throws(CredentialError) -> Credentials {
        let start = clock.now()
        let response: HTTPResponse
        do {
            response = try await http.send(request)
            clock.observe(response)
        } catch {
            throw CredentialError(
                error, asking: "STS at \(url)",
                remedy: error.kind == .tls
                    ? "name the right certificates in AWS_CA_BUNDLE"
                    : "let this host reach STS, in a VPC without internet by an endpoint for it")
        }
        let answer = XMLText(String(decoding: response.body, as: UTF8.self))
        guard response.status == 200 else {
            // A call takes half a minute at most, and the clock corrects itself by a minute at least.
            let isCorrected = !(0...45).contains(clock.now().timeIntervalSince(start))
            throw STSFailure(response.status, answer).error(role, clockIsCorrected: isCorrected)
        }
        guard let id = answer["AccessKeyId"], let secret = answer["SecretAccessKey"],
            let token = answer["SessionToken"],
            let end = answer["Expiration"].flatMap({ Date(iso8601: $0) })
        else {
            throw CredentialError(
                .unavailable, "STS at \(url) gave something else than keys for the role \(role)")
        }
        return Credentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: token, expiration: end)
    }
}

/// An answer of STS that says no, and what follows from it.
struct STSFailure {
    private let status: Int
    private let code: String
    private let message: String
    private let requestID: String?

    /// Reads an `ErrorResponse`.
    ///
    /// Of the message only the first line counts: after it a signature error repeats what was signed, the session
    /// token among it.
    init(_ status: Int, _ answer: XMLText) {
        self.status = status
        code = answer["Code"] ?? "status \(status)"
        let words = answer["Message"] ?? "no message"
        message = String(words.prefix { !$0.isNewline }.prefix(300))
        requestID = answer["RequestId"]
    }

    /// The failure to assume a role, in the terms of the caller.
    ///
    /// A signature that was refused for its time is worth another attempt once the clock is corrected.
    func error(_ role: String, clockIsCorrected: Bool) -> CredentialError {
        let request = requestID.map { " (request \($0))" } ?? ""
        var (kind, remedy) = verdict
        if code == "SignatureDoesNotMatch", clockIsCorrected { kind = .unavailable }
        return CredentialError(
            kind, "STS refuses the role \(role): \(code): \(message)\(request)", remedy: remedy)
    }

    private var verdict: (CredentialError.Kind, String?) {
        switch code {
        case "AccessDenied", "AccessDeniedException":
            (
                .denied,
                "let the role's trust policy name the caller (and its external id), and the caller's "
                    + "own policy allow sts:AssumeRole"
            )
        case "ExpiredTokenException", "IDPCommunicationError", "Throttling", "ThrottlingException",
            "RequestLimitExceeded":
            (.unavailable, nil)
        case "InvalidIdentityToken", "IDPRejectedClaim":
            (.denied, "check the token's issuer and audience against IAM's identity provider")
        case "RegionDisabledException":
            (.misconfigured, "switch STS on for this region in the account, or use another region")
        case "ValidationError", "MalformedPolicyDocument", "PackedPolicyTooLarge":
            (.misconfigured, "correct role_arn, role_session_name, external_id or duration_seconds")
        case "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken",
            "UnrecognizedClientException":
            // The keys come from their source anew at the next fetch.
            (.denied, "check the keys that assume the role, and this host's clock")
        default:
            (status >= 500 || status == 429 ? .unavailable : .denied, nil)
        }
    }
}

/// The texts of a small XML document by the local names of their elements.
///
/// No more than STS's answers need: one default namespace, no mixed content, every name that is asked for
/// used once.
struct XMLText {
    private let document: String

    /// A document as it came.
    init(_ document: String) { self.document = document }

    /// The text of the first element with this local name; nil where there is none or it holds elements.
    subscript(name: String) -> String? {
        var rest = document[...]
        while let open = rest.firstIndex(of: "<") {
            rest = rest[open...].dropFirst()
            guard let close = rest.firstIndex(of: ">") else { return nil }
            let tag = rest[..<close]
            rest = rest[close...].dropFirst()
            let qualified = tag.prefix { !$0.isWhitespace && $0 != "/" }
            guard qualified.split(separator: ":").last ?? "" == name, tag.last != "/" else {
                continue
            }
            guard let end = rest.firstIndex(of: "<"), rest[end...].hasPrefix("</") else {
                return nil
            }
            return Self.unescaped(rest[..<end])
        }
        return nil
    }

    private static func unescaped(_ text: Substring) -> String? {
        var plain = ""
        var rest = text
        while let ampersand = rest.firstIndex(of: "&") {
            plain += rest[..<ampersand]
            guard let end = rest[ampersand...].firstIndex(of: ";"),
                let character = character(rest[ampersand..<end].dropFirst())
            else { return nil }
            plain.unicodeScalars.append(character)
            rest = rest[end...].dropFirst()
        }
        return plain + rest
    }

    private static func character(_ entity: Substring) -> Unicode.Scalar? {
        switch entity {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard entity.first == "#" else { return nil }
            let digits = entity.dropFirst()
            let number =
                digits.first == "x" ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            return number.flatMap(Unicode.Scalar.init)
        }
    }
}
