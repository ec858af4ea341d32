import Foundation
import Logging
import TestBed
import Testing

@testable import AWS

/// The endpoints that give out keys, asked over real HTTP: a server of the test's own, and moto's STS.
struct CredentialFetchTests {
    private let http = HTTPClient()
    private let clock = ServerClock(logger: Self.quiet)
    private let server: PythonServer
    private let folder: TemporaryDirectory
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() async throws {
        server = try await PythonServer("Python/credential_service.py")
        folder = try TemporaryDirectory()
    }

    /// A request that reached the server.
    private struct Seen: Decodable {
        let method: String
        let path: String
        let headers: [String: String]
        let body: String
    }

    private func seen() async throws -> [Seen] {
        let state = try await http.send(HTTPRequest(method: "GET", url: "\(server.url)/state"))
        return try JSONDecoder().decode([Seen].self, from: Data(state.body))
    }

    private func chain(
        _ environment: [String: String], config: String = ""
    ) throws -> CredentialChain {
        try write(config, "config")
        let places = [
            "HOME": folder.path, "AWS_CONFIG_FILE": folder.path("config"),
            "AWS_SHARED_CREDENTIALS_FILE": folder.path("none"),
        ]
        return CredentialChain(
            overrides: .init(), environment: places.merging(environment) { $1 },
            http: http, clock: clock, logger: Self.quiet)
    }

    private func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: folder.path(name)))
    }

    private func error(
        _ chain: CredentialChain, _ location: SourceLocation = #_sourceLocation
    ) async -> CredentialError? {
        await #expect(throws: CredentialError.self, sourceLocation: location) {
            try await chain.fetch()
        }
    }

    // MARK: - Containers

    /// An endpoint that is waited for as long as a busy machine may need.
    private func container(
        _ mode: String, _ more: [String: String] = [:]
    ) throws -> ContainerEndpoint {
        let address = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.url)/container/\(mode)"]
        var endpoint = try #require(
            try ContainerEndpoint(environment: address.merging(more) { $1 }))
        endpoint.timeout = .seconds(60)
        return endpoint
    }

    private func error(
        _ endpoint: ContainerEndpoint, _ location: SourceLocation = #_sourceLocation
    ) async -> CredentialError? {
        await #expect(throws: CredentialError.self, sourceLocation: location) {
            try await endpoint.credentials(http)
        }
    }

    @Test func `a container's token is read anew for every fetch`() async throws {
        let endpoint = try container(
            "good", ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": folder.path("token")])
        try write("first\n", "token")
        let keys = try await endpoint.credentials(http)
        #expect(keys.accessKeyID == "AKISSUED")
        #expect(keys.secretAccessKey == "issued-secret")
        #expect(keys.sessionToken == "issued-token")
        #expect((keys.expiration ?? .distantPast).timeIntervalSinceNow > 5 * 3600)
        try write("second", "token")
        _ = try await endpoint.credentials(http)
        #expect(try await seen().map { $0.headers["authorization"] } == ["first", "second"])
    }

    @Test func `a container's token that would split a header is refused`() async throws {
        let endpoint = try container("good", ["AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\nb: c"])
        #expect(await error(endpoint)?.kind == .misconfigured)
        #expect(try await seen().isEmpty)
    }

    @Test func `a container's endpoint is asked three times`() async throws {
        #expect(try await container("late").credentials(http).accessKeyID == "AKISSUED")
        #expect(try await seen().count == 3)
        let denied = await error(try container("denied"))
        #expect(denied?.message.contains("403 (AccessDenied: not this pod)") == true)
        #expect(try await seen().count == 6)
    }

    @Test(arguments: ["garbage", "empty"])
    func `what a container's endpoint gives instead of keys is not shown`(mode: String) async throws
    {
        let failure = await error(try container(mode))
        #expect(failure?.kind == .unavailable)
        #expect(failure?.description.contains("secret-text") == false)
    }

    // MARK: - Instances

    /// An instance that is asked once, for longer than a busy machine may need.
    private func instance(_ mode: String, seconds: Int = 60) throws -> CredentialChain {
        try chain([
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": "\(server.url)/instance/\(mode)",
            "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1",
            "AWS_METADATA_SERVICE_TIMEOUT": "\(seconds)",
        ])
    }

    @Test func `an instance's keys are asked for with one token for all questions`() async throws {
        let chain = try instance("good")
        #expect(try await chain.fetch().sessionToken == "issued-token")
        #expect(try await chain.fetch().sessionToken == "issued-token")
        let requests = try await seen()
        #expect(requests.map(\.method) == ["PUT", "GET", "GET", "GET", "GET"])
        #expect(requests.first?.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600")
        #expect(requests.last?.path.hasSuffix("/security-credentials/the-role") == true)
    }

    @Test func `a token that has ended is replaced once`() async throws {
        #expect(try await instance("forgetful").fetch().accessKeyID == "AKISSUED")
        let requests = try await seen()
        #expect(requests.map(\.method) == ["PUT", "GET", "GET", "PUT", "GET"])
    }

    @Test func `keys that EC2 could not renew stay in use`() async throws {
        let keys = try await instance("old").fetch()
        let left = (keys.expiration ?? .distantPast).timeIntervalSinceNow
        #expect((16 * 60...25 * 60).contains(left))
    }

    @Test(arguments: [
        ("bare", CredentialError.Kind.unavailable, "no role is attached"),
        ("untrusted", .denied, "AssumeRoleUnauthorizedAccess: EC2 cannot assume the-role"),
        ("off", .denied, "answered 403"), ("first-version", .unavailable, "answered 405"),
        ("mute", .unavailable, "hop limit"),
    ]) func `an instance without keys says why`(
        mode: String, kind: CredentialError.Kind, words: String
    ) async throws {
        let failure = await error(try instance(mode, seconds: mode == "mute" ? 1 : 60))
        #expect(failure?.kind == kind)
        #expect(failure?.description.contains(words) == true)
        #expect(failure?.skipped.count == 4)
    }

    @Test func `an address where nobody listens is asked as often as set`() async throws {
        let failure = await error(
            try chain([
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1",
                "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "2",
            ]))
        #expect(failure?.kind == .unavailable)
        #expect(failure?.remedy?.contains("outside EC2") == true)
    }

    @Test func `an instance knows its region`() async throws {
        #expect(try await instance("good").instanceRegion() == "eu-north-1")
        let off = try chain(["AWS_EC2_METADATA_DISABLED": "true"])
        #expect(await off.instanceRegion() == nil)
    }

    // MARK: - Roles

    private static let source = Credentials(
        accessKeyID: "AKSOURCE", secretAccessKey: "source-secret", sessionToken: "source-token")

    private func service(_ mode: String) -> SecurityTokenService {
        SecurityTokenService(
            http: http, url: "\(server.url)/sts/\(mode)", region: "eu-west-1", clock: clock)
    }

    @Test func `a role is assumed by a request that botocore signs alike`() async throws {
        let role = AssumedRole(
            arn: "arn:aws:iam::123456789012:role/a b", sessionName: "me@here",
            externalID: "a&b=c/+", duration: 900)
        let keys = try await service("verify").assume(role, with: Self.source)
        #expect(keys.accessKeyID == "AKISSUED")
        let left = (keys.expiration ?? .distantPast).timeIntervalSinceNow
        #expect((600...900).contains(left))
        let body = try #require(try await seen().first?.body)
        #expect(
            body == "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fa%20b"
                + "&RoleSessionName=me%40here&ExternalId=a%26b%3Dc%2F%2B&DurationSeconds=900"
                + "&Version=2011-06-15")
    }

    @Test func `answers are read whatever their prefixes and escapes`() async throws {
        let keys = try await service("escaped").assume(
            AssumedRole(arn: "arn:r"), with: Self.source)
        #expect(keys.sessionToken == "a&b+c+d<>\"'")
    }

    @Test func `a web identity is sent unsigned and its token read for every attempt`() async throws
    {
        try write("jwt-1\n", "jwt")
        let identity = WebIdentity(roleARN: "arn:r", tokenFile: folder.path("jwt"))
        _ = try await service("issuer").assume(identity)
        let requests = try await seen()
        #expect(requests.count == 2)
        for request in requests {
            #expect(request.headers["authorization"] == nil)
            #expect(request.headers["x-amz-security-token"] == nil)
            #expect(request.body.contains("&WebIdentityToken=jwt-1&"))
            #expect(request.body.contains("&RoleSessionName=shardwalk-"))
        }
    }

    @Test func `a busy STS is asked three times`() async throws {
        let keys = try await service("busy").assume(AssumedRole(arn: "arn:r"), with: Self.source)
        #expect(keys.accessKeyID == "AKISSUED")
        #expect(try await seen().count == 3)
    }

    @Test func `a clock that is an hour off is corrected by the first answer`() async throws {
        let keys = try await service("ahead").assume(AssumedRole(arn: "arn:r"), with: Self.source)
        #expect(keys.accessKeyID == "AKISSUED")
        #expect(try await seen().count == 2)
        #expect((3500...3700).contains(clock.now().timeIntervalSinceNow))
    }

    @Test(arguments: [
        ("AccessDenied", CredentialError.Kind.denied, "trust policy"),
        ("InvalidIdentityToken", .denied, "issuer"), ("IDPRejectedClaim", .denied, "audience"),
        ("RegionDisabledException", .misconfigured, "switch STS on"),
        ("ValidationError", .misconfigured, "role_arn"),
        ("InvalidClientTokenId", .denied, "keys that assume"), ("Unheard", .denied, "Unheard"),
        ("html", .unavailable, "status 503"),
    ]) func `a refusal of STS says what to do`(
        code: String, kind: CredentialError.Kind, words: String
    ) async throws {
        let failure = await #expect(throws: CredentialError.self) {
            try await service(code).assume(AssumedRole(arn: "arn:r"), with: Self.source)
        }
        #expect(failure?.kind == kind)
        #expect(failure?.description.contains(words) == true)
        #expect(failure?.description.contains("arn:r") == true)
        if code == "AccessDenied" {
            let message =
                "AccessDenied: User: arn:aws:iam::1:user/u is not <authorized> (request id-1)"
            #expect(failure?.message.hasSuffix(message) == true)
        }
    }

    @Test func `a signature error does not repeat what was signed`() async throws {
        let failure = await #expect(throws: CredentialError.self) {
            try await service("signature").assume(AssumedRole(arn: "arn:r"), with: Self.source)
        }
        #expect(failure?.message.contains("Check your key.") == true)
        #expect(failure?.description.contains("x-secret-x") == false)
    }

    @Test func `moto's STS gives keys of roles through a chain of profiles`() async throws {
        let moto = try await PythonServer.moto()
        let chain = try chain(
            ["AWS_ENDPOINT_URL_STS": moto.url, "AWS_PROFILE": "top", "AWS_REGION": "us-east-1"],
            config: """
                [profile top]
                role_arn = arn:aws:iam::123456789012:role/top
                source_profile = middle
                duration_seconds = 900
                [profile middle]
                role_arn = arn:aws:iam::123456789012:role/middle
                source_profile = bottom
                [profile bottom]
                aws_access_key_id = AKBOTTOM
                aws_secret_access_key = s
                """)
        let keys = try await chain.fetch()
        #expect(keys.accessKeyID.hasPrefix("ASIA"))
        #expect(keys.sessionToken?.isEmpty == false)
        let left = (keys.expiration ?? .distantPast).timeIntervalSinceNow
        #expect((600...900).contains(left))
    }

    @Test func `moto's STS gives keys for a web identity`() async throws {
        let moto = try await PythonServer.moto()
        try write("header.payload.signature", "jwt")
        let chain = try chain([
            "AWS_ENDPOINT_URL_STS": moto.url, "AWS_REGION": "us-east-1",
            "AWS_WEB_IDENTITY_TOKEN_FILE": folder.path("jwt"),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/web",
        ])
        #expect(try await chain.fetch().accessKeyID.hasPrefix("ASIA"))
        try FileManager.default.removeItem(atPath: folder.path("jwt"))
        let failure = await error(chain)
        #expect(failure?.message.contains("there is no such file") == true)
    }

    @Test func `a role needs a region`() async throws {
        try write("[profile a]\nrole_arn = arn:r\ncredential_source = Environment\n", "config")
        let moto = try await PythonServer.moto()
        var chain = CredentialChain(
            overrides: .init(profile: "a"),
            environment: [
                "AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s", "HOME": folder.path,
                "AWS_CONFIG_FILE": folder.path("config"), "AWS_ENDPOINT_URL_STS": moto.url,
            ], http: http, clock: clock, logger: Self.quiet)
        let failure = await error(chain)
        #expect(failure?.message.contains("where a region is known") == true)
        chain.fallbackRegion = "eu-west-1"
        #expect(try await chain.fetch().accessKeyID.hasPrefix("ASIA"))
    }

    @Test func `keys in files are read anew for every fetch`() async throws {
        let chain = try chain(
            [:], config: "[default]\naws_access_key_id=A\naws_secret_access_key=s")
        #expect(try await chain.fetch().accessKeyID == "A")
        try write("[default]\naws_access_key_id=B\naws_secret_access_key=s", "config")
        #expect(try await chain.fetch().accessKeyID == "B")
        try write("[default]\naws_access_key_id=B\naws_secret_access_key=s\n  t", "config")
        let failure = await error(chain)
        #expect(failure?.message.contains("odd character") == true)
        #expect(failure?.description.contains("s\n") == false)
    }
}
