/// The sources that profiles set up.
///
/// Within one profile web identity comes first, then a role, since the profile's keys may be the ones that
/// assume it, then keys, then a credential process. What needs a person at a keyboard is refused in words.
/// Source: AWS SDKs and Tools Reference Guide, "Assume role credential provider" and its neighbours.
struct ProfileSources {
    /// All profiles, for those that others name.
    let files: ProfileFiles
    /// The environment, for a role's `credential_source`.
    let variables: EnvironmentSources

    private static let signOnKeys = [
        "sso_session", "sso_start_url", "sso_account_id", "sso_role_name",
    ]

    /// The source that a profile sets up; nil where it sets up none.
    func source(of name: String) throws(CredentialError) -> CredentialSource? {
        try source(of: name, visited: [name])
    }

    /// The source of a profile at the end of a chain of profiles, each of which names the next one.
    private func source(
        of name: String, visited: [String]
    ) throws(CredentialError) -> CredentialSource? {
        guard let profile = files.profiles[name] else { return nil }
        let role = profile["role_arn"]
        if let file = profile["web_identity_token_file"] {
            return try webIdentity(profile, name, tokenFile: file, role: role)
        }
        // A profile that another one names gives its keys where it has some, not its role.
        if visited.count > 1, let keys = try keys(profile, name) { return keys }
        if let role { return try assumedRole(role, profile, name, visited) }
        if let keys = try keys(profile, name) { return keys }
        if Self.signOnKeys.contains(where: { profile[$0] != nil }) {
            throw refusal(name, "IAM Identity Center (SSO)")
        }
        if profile["login_session"] != nil { throw refusal(name, "a console login session") }
        guard let command = profile["credential_process"] else { return nil }
        guard let words = ShellWords.split(command), !words.isEmpty else {
            throw fault(
                "credential_process of the profile \(name) has a quote that is not closed",
                "close it")
        }
        return .process(words, profile: name)
    }

    private func keys(
        _ profile: ProfileFiles.Keys, _ name: String
    ) throws(CredentialError) -> CredentialSource? {
        let id = profile["aws_access_key_id"]
        let secret = profile["aws_secret_access_key"]
        guard id != nil || secret != nil else { return nil }
        guard let id, let secret else {
            let missing = id == nil ? "aws_access_key_id" : "aws_secret_access_key"
            throw fault(
                "the profile \(name) has one half of a key pair: \(missing) is missing",
                "set both aws_access_key_id and aws_secret_access_key")
        }
        let token = profile["aws_session_token"] ?? profile["aws_security_token"]
        return .keys(
            Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token),
            origin: "the profile \(name)")
    }

    private func webIdentity(
        _ profile: ProfileFiles.Keys, _ name: String, tokenFile: String, role: String?
    ) throws(CredentialError) -> CredentialSource {
        guard let role else {
            throw fault(
                "the profile \(name) has web_identity_token_file, but no role_arn",
                "add role_arn with the role to assume")
        }
        let session = profile["role_session_name"]
        try checkSessionName(session, "role_session_name of the profile \(name)")
        return .webIdentity(
            WebIdentity(roleARN: role, tokenFile: tokenFile, sessionName: session))
    }

    private func assumedRole(
        _ arn: String, _ profile: ProfileFiles.Keys, _ name: String, _ visited: [String]
    ) throws(CredentialError) -> CredentialSource {
        if profile["mfa_serial"] != nil {
            throw fault(
                "profile \(name) uses mfa_serial; a daemon cannot answer MFA prompts",
                "use a role whose trust policy does not ask for MFA")
        }
        var role = AssumedRole(arn: arn)
        role.sessionName = profile["role_session_name"]
        try checkSessionName(role.sessionName, "role_session_name of the profile \(name)")
        role.externalID = profile["external_id"]
        if let external = role.externalID, !(2...1224).contains(external.count) {
            throw fault("external_id of the profile \(name) is not 2 to 1224 long", "correct it")
        }
        if let text = profile["duration_seconds"] {
            guard let seconds = Int(text), (900...43200).contains(seconds) else {
                throw fault(
                    "duration_seconds of the profile \(name) is \(text)",
                    "give a number from 900 to 43200, or remove it")
            }
            role.duration = seconds
        }
        switch (profile["source_profile"], profile["credential_source"]) {
        case (let other?, nil):
            return .role(role, source: try sourceProfile(other, of: name, visited))
        case (nil, let place?):
            return .role(role, source: try named(place, by: name))
        case (nil, nil):
            throw fault(
                "the profile \(name) has role_arn, but neither source_profile nor "
                    + "credential_source", "add one of them: whose keys assume the role")
        case (_?, _?):
            throw fault(
                "the profile \(name) has both source_profile and credential_source",
                "remove one of them")
        }
    }

    private func sourceProfile(
        _ name: String, of parent: String, _ visited: [String]
    ) throws(CredentialError) -> CredentialSource {
        guard let profile = files.profiles[name] else {
            throw fault(
                "source_profile of the profile \(parent) names \(name), which does not exist",
                "add the profile, or correct the name")
        }
        // A profile may name itself, if what is meant are its own keys.
        let meansOwnKeys = name == parent && profile["aws_access_key_id"] != nil
        guard !visited.contains(name) || meansOwnKeys else {
            throw fault(
                "the profiles \((visited + [name]).joined(separator: " -> ")) name each other "
                    + "as source_profile in a circle", "let one of them have keys of its own")
        }
        guard let source = try source(of: name, visited: visited + [name]) else {
            throw fault(
                "the profile \(name), which \(parent) names as source_profile, has no credentials",
                "give it keys, a role, or a credential_process")
        }
        return source
    }

    private func named(
        _ place: String, by profile: String
    ) throws(CredentialError) -> CredentialSource {
        let found: (source: CredentialSource?, reason: String)
        switch place {
        case "Environment":
            found = (try variables.keys(), "AWS_ACCESS_KEY_ID is not set")
        case "EcsContainer":
            found = (try variables.container(), EnvironmentSources.noContainer)
        case "Ec2InstanceMetadata":
            found = (try variables.instanceMetadata(), "AWS_EC2_METADATA_DISABLED is true")
        default:
            throw fault(
                "credential_source of the profile \(profile) is \(place)",
                "use Environment, Ec2InstanceMetadata or EcsContainer, spelled so")
        }
        guard let source = found.source else {
            throw fault(
                "credential_source of the profile \(profile) is \(place), but \(found.reason)",
                "set it, or name another source")
        }
        return source
    }

    private func refusal(_ profile: String, _ feature: String) -> CredentialError {
        fault(
            "profile \(profile) uses \(feature), not supported",
            "use credential_process with `aws configure export-credentials --profile "
                + "\(profile) --format process`, a role, or keys")
    }

    private func fault(_ message: String, _ remedy: String) -> CredentialError {
        CredentialError(.misconfigured, message, remedy: remedy)
    }
}
