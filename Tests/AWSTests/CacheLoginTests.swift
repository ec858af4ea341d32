import AWS
import Foundation
import TestBed
import Testing

/// Tokens for logins by IAM, against known ones and against those of botocore.
@Suite struct CacheLoginTests {
    /// A login with a known signature.
    struct Vector: Sendable {
        var keys = Credentials(accessKeyID: "fakeAccessKeyId", secretAccessKey: "fakeSecretKey")
        var timestamp = "20250101T000000Z"
        let login: CacheLogin
        /// The SHA-256 of the canonical request; nil where only the signature is known.
        let canonical: String?
        let signature: String
    }

    private static func login(
        _ cache: String, user: String = "my-user-id", _ service: CacheLogin.Service = .elastiCache,
        region: String = "eu-west-1", isServerless: Bool = false
    ) -> CacheLogin {
        CacheLogin(
            cache: cache, user: user, service: service, region: region, isServerless: isServerless)
    }

    /// The first two are of AWS's own test (aws-samples/elasticache-iam-auth-demo-app); the others were computed by
    /// botocore's signer and by two independent ones.
    static let vectors = [
        Vector(
            login: login("my-replication-group-id"),
            canonical: "429d621958499d68f65940bbcaf3e20d3297c67f5579b80ac3b98090034727fe",
            signature: "9e361603d85874bce06114c6644725ed113e3b11ae6fa92efdf10c6bcf5de8d7"),
        Vector(
            keys: Credentials(
                accessKeyID: "fakeAccessKeyId", secretAccessKey: "fakeSecretKey",
                sessionToken: "fakeSessionToken"),
            login: login("my-replication-group-id"),
            canonical: "e3aad4979331e177ffff868f3d24e9cca9aa1c30c05c8bcae1f55183ca15aa5a",
            signature: "bbce2bd61bd78461297ecb92e7001ddbeab2d85906c3cbedad6c9b81fb3466dc"),
        Vector(
            login: login("my-cache", isServerless: true),
            canonical: "e9d81a606b74caa30503ab45f449b8e02370d87bf378aeddeea8815a6d13fdee",
            signature: "31acb910f8e28ce4c94d8a686774e6294fdec2c9039e0b81f868d92a23e1b342"),
        Vector(
            login: login("my-cluster", .memoryDB),
            canonical: "531a55958dbb750fb80cc079a48a4fdaa69c9c9604a9b0b220bf3fd85e3a00e4",
            signature: "a05462316be52b647e2149ca803fc5529111d05bc58bee6836ef2778a3004168"),
        Vector(
            keys: Credentials(
                accessKeyID: "AKIDEXAMPLE",
                secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                sessionToken: "IQoJb3JpZ2luX2VjEXAMPLE//token+with/special=chars=="),
            timestamp: "20260102T030405Z",
            login: login("my-cache", user: "iam-user-01", region: "us-east-1"), canonical: nil,
            signature: "115b5c521739d6c92a55dcf5c0526aed31cf1275915385c2f817c453bf2a43e0"),
    ]

    @Test(arguments: vectors)
    func `a known login has its known signature`(vector: Vector) throws {
        let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted)
        let token = vector.login.token(
            signedWith: vector.keys, at: try style.parse(vector.timestamp))
        #expect(token.hasPrefix("\(vector.login.cache)/?Action=connect&"))
        #expect(token.hasSuffix("&X-Amz-Signature=\(vector.signature)"))
        guard let expected = vector.canonical else { return }
        let query = token.split(separator: "?")[1].split(separator: "&").dropLast()
            .map { $0.split(separator: "=") }
            .map { (name: String($0[0]), value: $0[1].removingPercentEncoding ?? "") }
        let canonical = CanonicalRequest(
            HTTPRequest(method: "GET", url: "https://\(vector.login.cache)/"), query: query)
        #expect(canonical.digest == expected)
    }

    @Test func `a token is the whole of a request but its scheme, with the name in lower case`()
        throws
    {
        let keys = Credentials(
            accessKeyID: "AKID", secretAccessKey: "secret", sessionToken: "a/b+c=")
        let login = Self.login("My-Cache", user: "default.iam-user", isServerless: true)
        let token = login.token(signedWith: keys, at: Date(timeIntervalSince1970: 1_735_689_600))
        let signature = try #require(token.firstMatch(of: /&X-Amz-Signature=([0-9a-f]{64})$/))
        #expect(
            token == """
                my-cache/?Action=connect&ResourceType=ServerlessCache&User=default.iam-user\
                &X-Amz-Algorithm=AWS4-HMAC-SHA256\
                &X-Amz-Credential=AKID%2F20250101%2Feu-west-1%2Felasticache%2Faws4_request\
                &X-Amz-Date=20250101T000000Z&X-Amz-Expires=900\
                &X-Amz-Security-Token=a%2Fb%2Bc%3D&X-Amz-SignedHeaders=host\(signature.output.0)
                """)
    }

    @Test(arguments: [1, 2, 3, 4])
    func `botocore makes any token alike`(seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let cases = (0..<250).map { _ in Case(&random) }
        let output = try await Python.run(
            "Python/cache_tokens.py", input: try JSONEncoder().encode(cases))
        let expected = try JSONDecoder().decode([String].self, from: output)
        #expect(expected.count == cases.count)
        for (known, expected) in zip(cases, expected) {
            #expect(known.ownToken == expected, "\(known)")
        }
    }

    /// A random login, in the form that the script reads.
    private struct Case: Encodable {
        let cache: String
        let user: String
        let service: String
        let serverless: Bool
        let region: String
        let id: String
        let secret: String
        let token: String?
        /// Whole seconds since 1970.
        let time: Int

        init(_ random: inout SeededRandom) {
            cache = "c" + Self.text("abcXYZ019-", upTo: 39, &random)
            user = "u" + Self.text("abcXYZ019-_.~ @:/?&=+%#\u{e9}\u{1F600}", upTo: 40, &random)
            service = Bool.random(using: &random) ? "elasticache" : "memorydb"
            serverless = Bool.random(using: &random)
            let regions = ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"]
            region = regions.randomElement(using: &random) ?? ""
            id = "AKID" + Self.text("ABC0123", upTo: 16, &random)
            secret = Self.text("abcXYZ019/+", upTo: 60, &random)
            token =
                Bool.random(using: &random)
                ? "t" + Self.text("abcXYZ019/+=", upTo: 3_000, &random) : nil
            time = Int.random(in: 0...4_000_000_000, using: &random)
        }

        private static func text(
            _ alphabet: String, upTo count: Int, _ random: inout SeededRandom
        ) -> String {
            String(
                (0..<Int.random(in: 0...count, using: &random)).compactMap { _ in
                    alphabet.randomElement(using: &random)
                })
        }

        var ownToken: String {
            let login = CacheLogin(
                cache: cache, user: user, service: .init(rawValue: service) ?? .elastiCache,
                region: region, isServerless: serverless)
            let keys = Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
            return login.token(
                signedWith: keys, at: Date(timeIntervalSince1970: TimeInterval(time)))
        }
    }
}
