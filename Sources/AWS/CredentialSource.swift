import FoundationEssentials

/// Where keys come from: the decision of the chain, before anything is fetched.
package indirect enum CredentialSource: Hashable, Sendable, CustomStringConvertible {
    /// Keys that stand in the environment or in a profile, with the place in words.
    case keys(Credentials, origin: String)
    /// A role, assumed with the keys of another source.
    case role(AssumedRole, source: CredentialSource)
    /// A role, assumed with the token that an identity provider keeps in a file.
    case webIdentity(WebIdentity)
    /// A program that prints keys, as words, with the profile that names it.
    case process([String], profile: String)
    /// The endpoint that ECS, EKS or Greengrass gives to a container.
    case container(ContainerEndpoint)
    /// The instance metadata service of EC2.
    case instanceMetadata(InstanceMetadataEndpoint)

    /// The source in words, without a secret.
    package var description: String {
        switch self {
        case .keys(let credentials, let origin):
            "the access key \(credentials.accessKeyID) from \(origin)"
        case .role(let role, let source): "the role \(role.arn), assumed with \(source)"
        case .webIdentity(let identity):
            "the role \(identity.roleARN), assumed with the token in \(identity.tokenFile)"
        case .process(_, let profile): "the credential_process of the profile \(profile)"
        case .container(let endpoint): "the container's endpoint \(endpoint.url)"
        case .instanceMetadata(let endpoint): "the instance metadata at \(endpoint.url)"
        }
    }
}

/// A role and the terms on which it is assumed.
package struct AssumedRole: Hashable, Sendable {
    /// The role's name, `arn:<partition>:iam::<account>:role/<name>`.
    package let arn: String
    /// How the session is called in AWS's own logs; nil for a name with the time in it.
    package var sessionName: String?
    /// What the role's owner asks callers from other accounts to give.
    package var externalID: String?
    /// How long the keys live in seconds; nil for the service's hour.
    package var duration: Int?
}

/// A role that is assumed without keys, by the token of an identity provider.
package struct WebIdentity: Hashable, Sendable {
    /// The role's name.
    package let roleARN: String
    /// The file that holds the token; read at every fetch, since the provider replaces it.
    package let tokenFile: String
    /// How the session is called in AWS's own logs; nil for a name with the time in it.
    package var sessionName: String?
}

/// The source that the chain chose, and those that it passed over before.
package struct ChosenSource: Hashable, Sendable {
    /// The first source that is set up.
    package let source: CredentialSource
    /// The sources before it, each with the reason why it is not it.
    package let skipped: [CredentialError.Skipped]

    /// Chooses the one source that decides: the first that is set up, whether or not it then gives keys.
    ///
    /// The order is that of the SDKs for Go and Java: a profile named in shardwalk's own configuration
    /// stands before everything; otherwise keys in the environment, web identity in the environment, the
    /// profile; then the container's endpoint and the instance's metadata. (botocore takes a profile's
    /// role before the environment's web identity.)
    /// - Throws: `CredentialError` of the kind `misconfigured` where a source is set up wrongly, or none is.
    package init(
        settings: AWSSettings, environment: [String: String], files: ProfileFiles
    ) throws(CredentialError) {
        var skipped: [CredentialError.Skipped] = []
        source = try Self.first(settings, environment, files, &skipped)
        self.skipped = skipped
    }

    private static func first(
        _ settings: AWSSettings, _ environment: [String: String], _ files: ProfileFiles,
        _ skipped: inout [CredentialError.Skipped]
    ) throws(CredentialError) -> CredentialSource {
        let variables = EnvironmentSources(environment: environment, profile: settings.profile.keys)
        let profile = settings.profile
        if profile.isExplicit {
            skipped.append(.init("environment", "left out, since aws.profile names a profile"))
        } else {
            if let keys = try variables.keys() { return keys }
            skipped.append(.init("environment", "AWS_ACCESS_KEY_ID is not set"))
            if let identity = try variables.webIdentity() { return identity }
            skipped.append(.init("web identity", "AWS_WEB_IDENTITY_TOKEN_FILE is not set"))
        }
        let profiles = ProfileSources(files: files, variables: variables)
        if let source = try profiles.source(of: profile.name) { return source }
        skipped.append(
            .init(
                "profile \(profile.name)",
                files.profiles[profile.name] == nil
                    ? "there is no such profile" : "it has neither keys nor a way to get them"))
        if let container = try variables.container() { return container }
        skipped.append(.init("container", EnvironmentSources.noContainer))
        if let instance = try variables.instanceMetadata() { return instance }
        skipped.append(.init("instance metadata", "AWS_EC2_METADATA_DISABLED is true"))
        throw CredentialError(
            .misconfigured, "no source of AWS credentials is set up",
            remedy: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with "
                + "credentials, or run where a role is attached",
            skipped: skipped)
    }
}

/// The sources that the environment's variables set up.
struct EnvironmentSources {
    /// The process's variables.
    let environment: [String: String]
    /// The keys of the profile in use, for the settings of the instance metadata.
    let profile: ProfileFiles.Keys

    /// Why the container's endpoint is not a source.
    static let noContainer =
        "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set"

    /// Keys in the variables; nil where there is no access key.
    func keys() throws(CredentialError) -> CredentialSource? {
        guard let id = environment.nonEmpty("AWS_ACCESS_KEY_ID") else { return nil }
        guard let secret = environment.nonEmpty("AWS_SECRET_ACCESS_KEY") else {
            throw CredentialError(
                .misconfigured, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not",
                remedy: "set both or neither")
        }
        var expiration: Date?
        if let text = environment.nonEmpty("AWS_CREDENTIAL_EXPIRATION") {
            expiration = Date(iso8601: text)
            guard expiration != nil else {
                throw CredentialError(
                    .misconfigured, "AWS_CREDENTIAL_EXPIRATION is not a time in ISO 8601",
                    remedy: "give one like 2030-01-31T12:00:00Z, or unset it")
            }
        }
        // The second name is the one of the first SDKs.
        let token =
            environment.nonEmpty("AWS_SESSION_TOKEN") ?? environment.nonEmpty("AWS_SECURITY_TOKEN")
        return .keys(
            Credentials(
                accessKeyID: id, secretAccessKey: secret, sessionToken: token,
                expiration: expiration),
            origin: "the environment")
    }

    /// A web identity in the variables, as EKS sets it for service accounts; nil where there is none.
    func webIdentity() throws(CredentialError) -> CredentialSource? {
        guard let file = environment.nonEmpty("AWS_WEB_IDENTITY_TOKEN_FILE") else { return nil }
        guard let role = environment.nonEmpty("AWS_ROLE_ARN") else {
            throw CredentialError(
                .misconfigured, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not",
                remedy: "set AWS_ROLE_ARN to the role to assume, or unset the other")
        }
        let name = environment.nonEmpty("AWS_ROLE_SESSION_NAME")
        try checkSessionName(name, "AWS_ROLE_SESSION_NAME")
        return .webIdentity(WebIdentity(roleARN: role, tokenFile: file, sessionName: name))
    }

    /// The container's endpoint; nil where no variable names one.
    func container() throws(CredentialError) -> CredentialSource? {
        try ContainerEndpoint(environment: environment).map { .container($0) }
    }

    /// The instance's metadata; nil where it is switched off.
    func instanceMetadata() throws(CredentialError) -> CredentialSource? {
        try InstanceMetadataEndpoint(
            lookup: Lookup(environment: environment, keys: profile)
        ).map { .instanceMetadata($0) }
    }
}

/// The name of a role's session must be one that STS takes.
func checkSessionName(_ name: String?, _ origin: String) throws(CredentialError) {
    guard let name else { return }
    let isValid = name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_+=,.@-".utf8.contains(byte)
        }
    }
    guard isValid, (2...64).contains(name.utf8.count) else {
        throw CredentialError(
            .misconfigured, "\(origin) is not a session name that STS takes",
            remedy: "use 2 to 64 letters, digits and any of _+=,.@-")
    }
}
