import FoundationEssentials

/// A setting that cannot be used.
package struct SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which setting, where it stands, and what is wrong with it; never a secret.
    package let message: String
    /// What the operator can do.
    package let remedy: String

    /// A setting with what is wrong and how to mend it.
    package init(_ message: String, remedy: String) {
        self.message = message
        self.remedy = remedy
    }

    package var description: String { "\(message). To mend it: \(remedy)" }
}

/// Where and how AWS is called: what the SDKs would read from the same environment and files.
///
/// Everywhere shardwalk's own configuration comes first, then the environment, then the profile.
/// Source: AWS SDKs and Tools Reference Guide, "Settings reference".
package struct AWSSettings: Hashable, Sendable {
    /// What shardwalk's own configuration says; nil leaves a setting to the environment and the profile.
    package struct Overrides: Hashable, Sendable {
        /// `aws.region`.
        package var region: String?
        /// `aws.profile`.
        package var profile: String?
        /// `aws.endpoint`: one address for DynamoDB and its streams, not for STS.
        package var endpoint: String?

        /// Overrides of what is given.
        package init(region: String? = nil, profile: String? = nil, endpoint: String? = nil) {
            self.region = region
            self.profile = profile
            self.endpoint = endpoint
        }
    }

    /// The profile in use.
    package struct Profile: Hashable, Sendable {
        /// Its name, `default` where nobody names one.
        package let name: String
        /// Whether shardwalk's own configuration names it: then credentials in the environment don't count.
        package let isExplicit: Bool
        /// Its keys; none where the default profile does not exist.
        package let keys: ProfileFiles.Keys
    }

    /// The region; nil where nothing says it, which leaves the stream's ARN or the instance to ask.
    package let region: String?
    /// The profile in use.
    package let profile: Profile
    /// The address for calls of DynamoDB, where it is not the region's own.
    package let dynamoDBEndpoint: String?
    /// The address for calls of DynamoDB Streams, where it is not the region's own.
    package let streamsEndpoint: String?
    /// The address for calls of STS, where it is not the region's own.
    package let stsEndpoint: String?
    /// Whether the hosts with validated cryptography are called.
    package let usesFIPS: Bool
    /// Whether the hosts that have IPv6 addresses too are called.
    package let usesDualStack: Bool
    /// The file with the certificates to trust in place of the system's, for AWS alone.
    package let caBundle: String?
    /// What the operator should know, although the settings can be used.
    package let warnings: [String]

    /// The settings of an environment and its files.
    /// - Throws: `SettingsError` at the first setting that can't be used.
    package init(
        overrides: Overrides = Overrides(), environment: [String: String], files: ProfileFiles
    ) throws(SettingsError) {
        profile = try Self.profile(overrides, environment, files)
        let lookup = Lookup(environment: environment, keys: profile.keys)
        region =
            overrides.region ?? environment.nonEmpty("AWS_REGION")
            ?? environment.nonEmpty("AWS_DEFAULT_REGION") ?? profile.keys["region"]
        if let region { try Self.check(region: region) }
        usesFIPS = lookup.isTrue("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
        usesDualStack = lookup.isTrue("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
        caBundle = lookup.value("AWS_CA_BUNDLE", "ca_bundle")

        var warnings = files.warnings
        let endpoints = ConfiguredEndpoints(lookup: lookup, files: files, profile: profile.name)
        dynamoDBEndpoint = try endpoints.address(
            "dynamodb", explicit: overrides.endpoint, &warnings)
        streamsEndpoint = try endpoints.address(
            "dynamodb_streams", explicit: overrides.endpoint, &warnings)
        stsEndpoint = try endpoints.address("sts", explicit: nil, &warnings)
        if let custom = dynamoDBEndpoint ?? streamsEndpoint ?? stsEndpoint,
            usesFIPS || usesDualStack
        {
            throw SettingsError(
                "the endpoint \(custom) is set together with "
                    + (usesFIPS ? "AWS_USE_FIPS_ENDPOINT" : "AWS_USE_DUALSTACK_ENDPOINT")
                    + " (in the environment or the profile), which chooses another host",
                remedy: "remove one of the two")
        }
        if lookup.value("AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints")?.lowercased()
            == "legacy"
        {
            warnings.append(
                "AWS_STS_REGIONAL_ENDPOINTS is legacy; the region's own STS is called all the same")
        }
        self.warnings = warnings
    }

    private static func profile(
        _ overrides: Overrides, _ environment: [String: String], _ files: ProfileFiles
    ) throws(SettingsError) -> Profile {
        if let name = overrides.profile {
            return Profile(
                name: name, isExplicit: true,
                keys: try files.profile(name, namedBy: "aws.profile"))
        }
        for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
            guard let name = environment.nonEmpty(variable) else { continue }
            return Profile(
                name: name, isExplicit: false, keys: try files.profile(name, namedBy: variable))
        }
        return Profile(
            name: "default", isExplicit: false,
            keys: files.profiles["default"] ?? ProfileFiles.Keys())
    }

    /// A region becomes part of a host's name, so it may not hold anything else.
    private static func check(region: String) throws(SettingsError) {
        guard Endpoint.url(of: .tokens, region: region) != nil else {
            throw SettingsError(
                "\"\(region)\" is not the name of a region", remedy: "give one like us-east-1")
        }
    }
}

/// A setting's two places, the environment and the profile.
struct Lookup {
    /// The process's variables.
    let environment: [String: String]
    /// The profile's keys.
    let keys: ProfileFiles.Keys

    /// The value of a variable, or else of a key; empty ones count as not set.
    func value(_ variable: String, _ key: String) -> String? {
        environment.nonEmpty(variable) ?? keys[key]
    }

    /// Whether the value is `true` in any case; everything else is false.
    func isTrue(_ variable: String, _ key: String) -> Bool {
        value(variable, key)?.lowercased() == "true"
    }
}

/// The addresses that variables and a profile set for services.
///
/// The variable for all services comes before the profile's entry for the one service.
/// Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
private struct ConfiguredEndpoints {
    let lookup: Lookup
    let files: ProfileFiles
    let profile: String

    /// The address of a service by its name in profile files, such as `dynamodb_streams`.
    func address(
        _ service: String, explicit: String?, _ warnings: inout [String]
    ) throws(SettingsError) -> String? {
        if let explicit { return try checked(explicit, "aws.endpoint", &warnings) }
        guard
            !lookup.isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")
        else { return nil }
        for variable in ["AWS_ENDPOINT_URL_\(service.uppercased())", "AWS_ENDPOINT_URL"] {
            if let address = lookup.environment.nonEmpty(variable) {
                return try checked(address, variable, &warnings)
            }
        }
        if let name = lookup.keys["services"] {
            guard let section = files.services[name] else {
                throw SettingsError(
                    "the profile \(profile) names the services section \(name), which does not exist",
                    remedy: "add [services \(name)] to the config file, or remove the key services")
            }
            if let address = section.tables[service]?.nonEmpty("endpoint_url") {
                return try checked(address, "endpoint_url in [services \(name)]", &warnings)
            }
        }
        guard let address = lookup.keys["endpoint_url"] else { return nil }
        return try checked(address, "endpoint_url of the profile \(profile)", &warnings)
    }

    /// The address without a slash at its end, if it is one of a server.
    private func checked(
        _ address: String, _ origin: String, _ warnings: inout [String]
    ) throws(SettingsError) -> String {
        guard let parts = URLComponents(string: address), let host = parts.host, !host.isEmpty,
            let scheme = parts.scheme?.lowercased(), scheme == "http" || scheme == "https",
            parts.user == nil, parts.query == nil, parts.fragment == nil,
            parts.path.isEmpty || parts.path == "/",
            !address.contains(where: \.isWhitespace)
        else {
            throw SettingsError(
                "\(origin) is not the address of a server",
                remedy: "give one like https://host or http://host:port, without a path")
        }
        if scheme == "http", !LocalHost.isLoopback(host) {
            let warning = "\(origin) sends requests to \(host) without encryption"
            if !warnings.contains(warning) { warnings.append(warning) }
        }
        return parts.path == "/" ? String(address.dropLast()) : address
    }
}

/// Hosts that do not leave this machine.
enum LocalHost {
    /// Whether a host from an address is `localhost` or a loopback address; a name is never looked up.
    static func isLoopback(_ host: String) -> Bool {
        let host = host.lowercased()
        if host == "localhost" || host == "::1" || host == "[::1]" { return true }
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        return octets.count == 4 && octets[0] == "127"
            && octets.allSatisfy { octet in
                octet.utf8.allSatisfy { (48...57).contains($0) } && UInt8(octet) != nil
            }
    }
}
