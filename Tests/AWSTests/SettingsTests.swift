import Testing

@testable import AWS

/// Settings as values: what counts where several places say something.
struct SettingsTests {
    private static let config = """
        [default]
        region = from-default
        [profile a]
        region = from-profile
        endpoint_url = http://127.0.0.1:1
        ca_bundle = /profile.pem
        [profile fips]
        use_fips_endpoint = TRUE
        [profile dual]
        use_dualstack_endpoint = true
        [profile lost]
        services = nowhere
        [profile local]
        services = here
        ignore_configured_endpoint_urls = true
        [services here]
        dynamodb =
          endpoint_url = http://127.0.0.1:2
        """

    private func settings(
        _ overrides: AWSSettings.Overrides = .init(), _ environment: [String: String] = [:]
    ) throws -> AWSSettings {
        let files = try ProfileFiles(config: Self.config, credentials: nil)
        return try AWSSettings(overrides: overrides, environment: environment, files: files)
    }

    @Test func `the region comes from the nearest place`() throws {
        var environment: [String: String] = [:]
        #expect(try settings(.init(), environment).region == "from-default")
        environment["AWS_PROFILE"] = "a"
        #expect(try settings(.init(), environment).region == "from-profile")
        environment["AWS_DEFAULT_REGION"] = "from-old-variable"
        #expect(try settings(.init(), environment).region == "from-old-variable")
        environment["AWS_REGION"] = "from-variable"
        #expect(try settings(.init(), environment).region == "from-variable")
        environment["AWS_REGION"] = ""
        #expect(try settings(.init(), environment).region == "from-old-variable")
        #expect(try settings(.init(region: "explicit"), environment).region == "explicit")
        #expect(try settings(.init(profile: "fips")).region == nil)
    }

    @Test(arguments: ["us-east-1.evil.com", "us east", "US-EAST-1", "a/b", "a:80"])
    func `a region that would change the host is refused`(region: String) {
        #expect(throws: SettingsError.self) { try settings(.init(region: region)) }
    }

    @Test func `the profile comes from the nearest place and must exist`() throws {
        #expect(try settings().profile.name == "default")
        #expect(try settings(.init(), ["AWS_DEFAULT_PROFILE": "a"]).profile.name == "a")
        let both = ["AWS_DEFAULT_PROFILE": "a", "AWS_PROFILE": "fips"]
        #expect(try settings(.init(), both).profile.name == "fips")
        let explicit = try settings(.init(profile: "dual"), both).profile
        #expect(explicit.name == "dual")
        #expect(explicit.isExplicit)
        let error = #expect(throws: SettingsError.self) {
            try settings(.init(), ["AWS_PROFILE": "none", "AWS_ACCESS_KEY_ID": "AK"])
        }
        #expect(error?.message.contains("AWS_PROFILE names the profile none") == true)
        let missing = try AWSSettings(
            environment: [:], files: ProfileFiles(config: nil, credentials: nil))
        #expect(missing.profile.keys == ProfileFiles.Keys())
    }

    @Test func `the configured endpoint stands before all others but not for STS`() throws {
        let settings = try settings(
            .init(endpoint: "https://vpce.example"),
            [
                "AWS_ENDPOINT_URL": "http://127.0.0.1:3",
                "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:4",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            ])
        #expect(settings.dynamoDBEndpoint == "https://vpce.example")
        #expect(settings.streamsEndpoint == "https://vpce.example")
        #expect(settings.stsEndpoint == nil)
    }

    @Test func `the variable of one service does not count for another`() throws {
        let settings = try settings(
            .init(profile: "a"), ["AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:4/"])
        #expect(settings.dynamoDBEndpoint == "http://127.0.0.1:4")
        #expect(settings.streamsEndpoint == "http://127.0.0.1:1")
        #expect(settings.stsEndpoint == "http://127.0.0.1:1")
    }

    @Test func `a profile may leave out every configured endpoint`() throws {
        #expect(try settings(.init(profile: "local")).dynamoDBEndpoint == nil)
        let error = #expect(throws: SettingsError.self) { try settings(.init(profile: "lost")) }
        #expect(error?.message.contains("services section nowhere") == true)
    }

    @Test(arguments: [
        "localhost:8000", "ftp://host", "http://", "http://h/path", "http://h?q", "http://u@h",
        "http://a b", "https:host", "",
    ]) func `what is not a server's address is refused`(address: String) {
        #expect(throws: SettingsError.self) { try settings(.init(endpoint: address)) }
    }

    @Test(arguments: [
        ("http://localhost:1", false), ("http://127.1.2.3", false), ("http://[::1]:1", false),
        ("https://example.com", false), ("http://example.com", true),
        ("http://127.0.0.1.a.b", true),
        ("http://10.0.0.1", true),
    ]) func `plain HTTP beyond this machine is a warning`(address: String, warns: Bool) throws {
        #expect(try settings(.init(endpoint: address)).warnings.isEmpty == !warns)
    }

    @Test func `FIPS and dual-stack hosts contradict an endpoint`() throws {
        #expect(try settings(.init(profile: "fips")).usesFIPS)
        #expect(try settings(.init(profile: "dual")).usesDualStack)
        #expect(try !settings(.init(), ["AWS_USE_FIPS_ENDPOINT": "yes"]).usesFIPS)
        #expect(
            try !settings(.init(profile: "fips"), ["AWS_USE_FIPS_ENDPOINT": "false"]).usesFIPS)
        for profile in ["fips", "dual"] {
            #expect(throws: SettingsError.self) {
                try settings(.init(profile: profile, endpoint: "https://example.com"))
            }
            #expect(throws: SettingsError.self) {
                try settings(
                    .init(profile: profile), ["AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"])
            }
        }
    }

    @Test func `certificates and the old switch of STS are taken up`() throws {
        #expect(try settings(.init(profile: "a")).caBundle == "/profile.pem")
        let variable = ["AWS_CA_BUNDLE": "/env.pem", "AWS_STS_REGIONAL_ENDPOINTS": "legacy"]
        let settings = try settings(.init(profile: "a"), variable)
        #expect(settings.caBundle == "/env.pem")
        #expect(settings.warnings.contains { $0.contains("AWS_STS_REGIONAL_ENDPOINTS") })
    }
}
