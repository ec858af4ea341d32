import FoundationEssentials

/// The endpoint from which a container gets the keys of its task or pod: ECS, EKS Pod Identity, Greengrass.
///
/// Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
package struct ContainerEndpoint: Hashable, Sendable {
    /// The whole address.
    package let url: String
    /// What goes into the header `Authorization` as it is.
    let authorization: Authorization
    /// How long one request may take.
    var timeout = Duration.seconds(2)

    /// Where the token for the endpoint is.
    enum Authorization: Hashable {
        /// None is asked for.
        case none
        /// In a variable.
        case value(String)
        /// In a file, read at every fetch, since EKS replaces it.
        case file(String)
    }

    /// The host of ECS that the relative form means.
    private static let taskHost = "169.254.170.2"
    /// The hosts besides the loopback ones to which a token may go without encryption: ECS, and EKS's two.
    private static let linkLocalHosts = [taskHost, "169.254.170.23", "[fd00:ec2::23]"]

    /// The endpoint that the environment names; nil where it names none.
    /// - Throws: `CredentialError` where a variable can't be used.
    package init?(environment: [String: String]) throws(CredentialError) {
        if let path = environment.nonEmpty("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            // Anything else than a path would make another host of it.
            guard path.hasPrefix("/") else {
                throw CredentialError(
                    .misconfigured, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path",
                    remedy: "it begins with a slash; ECS sets it by itself")
            }
            url = "http://\(Self.taskHost)\(path)"
        } else if let address = environment.nonEmpty("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            try Self.check(address)
            url = address
        } else {
            return nil
        }
        if let file = environment.nonEmpty("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            authorization = .file(file)
        } else if let token = environment.nonEmpty("AWS_CONTAINER_AUTHORIZATION_TOKEN") {
            authorization = .value(token)
        } else {
            authorization = .none
        }
    }

    /// Over plain HTTP a token may go to this machine and the hosts of ECS and EKS alone.
    private static func check(_ address: String) throws(CredentialError) {
        let parts = URLComponents(string: address)
        let host = parts?.host?.lowercased() ?? ""
        let isClean =
            parts?.user == nil && !host.isEmpty
            && !address.contains { $0.isWhitespace || $0 == "\\" }
        let isAllowed =
            switch parts?.scheme?.lowercased() {
            case "https": true
            case "http": LocalHost.isLoopback(host) || linkLocalHosts.contains(host)
            default: false
            }
        guard isClean, isAllowed else {
            throw CredentialError(
                .misconfigured,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is not an address that keys may be fetched from",
                remedy: "use https, or http with a loopback address, "
                    + linkLocalHosts.joined(separator: " or "))
        }
    }
}

extension ContainerEndpoint {
    /// Asks the endpoint for keys, past any proxy.
    package func credentials(_ http: HTTPClient) async throws(CredentialError) -> Credentials {
        try await repeating(3) { () async throws(CredentialError) in
            try await attempt(http)
        }
    }

    private func attempt(_ http: HTTPClient) async throws(CredentialError) -> Credentials {
        let place = "the container's endpoint \(url)"
        var request = HTTPRequest(
            method: "GET", url: url, headers: [("accept", "application/json")])
        if let token = try token() { request.headers.append(("authorization", token)) }
        request.connectTimeout = timeout
        request.timeout = timeout
        request.bodyLimit = IssuedKeys.largest
        request.bypassesProxy = true
        let response: HTTPResponse
        do {
            response = try await http.send(request)
        } catch {
            throw CredentialError(error, asking: place, remedy: nil)
        }
        let issued = IssuedKeys(response.body)
        guard response.status == 200 else {
            let complaint = issued?.complaint.map { " (\($0))" } ?? ""
            throw CredentialError(
                .unavailable, "\(place) answered \(response.status)\(complaint)",
                remedy: response.status == 401 || response.status == 403
                    ? "check the task's or pod's role and its authorization token" : nil)
        }
        guard let issued else {
            throw CredentialError(.unavailable, "\(place) gave something else than keys")
        }
        return try issued.credentials(from: place)
    }

    /// The token as it is sent; one line end after it is left out, as editors and `echo` add it.
    private func token() throws(CredentialError) -> String? {
        let token: String
        switch authorization {
        case .none: return nil
        case .value(let value): token = value
        case .file(let path): token = try readToken(path, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        }
        guard !token.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw CredentialError(
                .misconfigured, "the container's authorization token holds a control character",
                remedy: "give a token of one line")
        }
        return token
    }
}

/// The token in a file that somebody else replaces from time to time, without the line end after it.
func readToken(_ path: String, _ origin: String) throws(CredentialError) -> String {
    do throws(SmallFile.Unreadable) {
        guard let content = try SmallFile.read(path) else {
            throw SmallFile.Unreadable(reason: "there is no such file")
        }
        let text = content.text
        return text.hasSuffix("\n") || text.hasSuffix("\r\n") ? String(text.dropLast()) : text
    } catch {
        throw CredentialError(
            .unavailable, "\(origin) names \(path), which cannot be read: \(error.reason)",
            remedy: "mount the token there, and let the daemon's user read it")
    }
}
