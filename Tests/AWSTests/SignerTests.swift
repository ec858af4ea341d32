import AWS
import Foundation
import TestBed
import Testing

@Suite struct SignerTests {
    /// A request with a known signature, made with the keys of AWS's examples.
    struct Vector: Sendable {
        var service = "dynamodb"
        var timestamp = "20150830T123600Z"
        var host = "https://streams.dynamodb.us-east-1.amazonaws.com"
        var headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "DynamoDBStreams_20120810.ListStreams"),
        ]
        var body = "{}"
        var token: String?
        /// The SHA-256 of the canonical request; nil where only the signature is known.
        let canonical: String?
        let signature: String

        var signer: Signer {
            let keys = Credentials(
                accessKeyID: "AKIDEXAMPLE",
                secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", sessionToken: token)
            return Signer(credentials: keys, region: "us-east-1", service: service)
        }

        var request: HTTPRequest {
            HTTPRequest(
                method: "POST", url: "\(host)/", headers: headers.map { (name: $0, value: $1) },
                body: Array(body.utf8))
        }
    }

    private static let getRecords = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "DynamoDBStreams_20120810.GetRecords"),
    ]

    /// Computed by botocore's signer and by two independent ones.
    static let vectors = [
        Vector(
            canonical: "8672c3920cb4c632576f355deae168066a06d3747afe814ad1c7753a7523414f",
            signature: "2b7a341e9bb462fbcfaba34692dc6047223d4832c4d25c7e44a36a31ab6cc2d9"),
        Vector(
            token: "AQoEXAMPLETOKEN",
            canonical: "e46eaf8f8521e2e9989c2793a78ba6dd207869e53a23771a62897172dd45f02c",
            signature: "9e168887986d571ee164e2887a90dbb77b3dc81c6aed7fa414bd7c2ce5634376"),
        Vector(
            body: "", canonical: "3cf9aa8620e12da58a36a0dbdb972237f15af394b20fc0d74f2db25a1028c4c7",
            signature: "e1c14733b9ee24221854e029937c0c41dc76038722df134d14d001e933ab4516"),
        Vector(
            host: "http://127.0.0.1:8000",
            canonical: "814a197d306e454a330522179c2563f4bbe665c136db0643be4d2fab6dfab359",
            signature: "96702bd226f9e16606a86750f8531d1b75fc365ea7e000a001b2cb3d9b80eaae"),
        Vector(
            service: "sts", host: "https://sts.us-east-1.amazonaws.com",
            headers: [("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: "Action=AssumeRole&Version=2011-06-15"
                + "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdemo&RoleSessionName=s1",
            canonical: "5c5e2988d42c8d57fb0296dfe85700d026622b152ba583245949610adc4dd015",
            signature: "f58fd916927e8b761fefab3e234db1da6070427d925c22ec85793d178695194e"),
        Vector(
            timestamp: "20260102T030405Z", headers: getRecords,
            body: #"{"ShardIterator":"iter-1","Limit":1000}"#,
            canonical: "57fc55e4a807fe3e00995fafe62a647b318584b6f101e746774e133267b60578",
            signature: "9e766ded04265caf8ba84c14944b4f67593d7306d4dee57483c537341ac70b9a"),
        Vector(
            timestamp: "20260102T030405Z", headers: getRecords,
            body: #"{"ShardIterator":"iter-1","Limit":1000}"#,
            token: "IQoJb3JpZ2luX2VjEXAMPLE//token+with/special=chars==",
            canonical: "6c70d2a6e5f6aa6ef0d0cf656b3ad1e817b6a7f091bba71aff341ee3342c0b1f",
            signature: "2693b29093a530b4a4d2a2993e7d00faa594c74b840ab8c158ad56bee8182ebf"),
        Vector(
            timestamp: "20260102T030405Z", host: "http://localhost:8000", canonical: nil,
            signature: "e9198b50e2a5b6e1ac90df686d61c5ee4fa8c79d37a0f326c6a7bd72ada848cf"),
    ]

    @Test(arguments: vectors)
    func `a known request has its known signature`(vector: Vector) throws {
        var request = vector.request
        let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted)
        let date = try style.parse(vector.timestamp)
        #expect(Signer.timestamp(date) == vector.timestamp)
        vector.signer.sign(&request, at: date)
        let last = request.headers.popLast()
        let authorization = try #require(last)
        #expect(authorization.name == "authorization")
        #expect(authorization.value.hasSuffix(", Signature=\(vector.signature)"))
        let canonical = CanonicalRequest(request)
        if let expected = vector.canonical { #expect(canonical.digest == expected) }
        #expect(
            vector.signer.signature(of: canonical, timestamp: vector.timestamp) == vector.signature)
    }

    @Test(arguments: [
        ("20150830T123600Z", "44a00bf61392567a12c8a1af3f6227f121fdd3ffabe98527663649f33cbff4aa"),
        ("20260102T030405Z", "eeb8fc37e23864c9823bc2ef552543821f27b09674f82435c43ac176dfba2996"),
    ])
    func `a day, a region and a service have their known key`(timestamp: String, key: String) {
        #expect(Digest.hex(Self.vectors[0].signer.signingKey(timestamp)) == key)
    }

    @Test func `botocore signs any request alike`() async throws {
        let cases = (0..<500).map { _ in Case.random() }
        let output = try await Python.run(
            "Python/signatures.py", input: try JSONEncoder().encode(cases))
        let expected = try JSONDecoder().decode([String].self, from: output)
        #expect(expected.count == cases.count)
        for (known, expected) in zip(cases, expected) {
            #expect(known.authorization == expected, "\(known)")
        }
    }

    /// A random request, in the form that the script reads.
    private struct Case: Encodable {
        let method: String
        let url: String
        let headers: [[String]]
        let body: Data
        let id: String
        let secret: String
        let token: String?
        let region: String
        let service: String
        /// Whole seconds since 1970.
        let time: Int

        static func random() -> Case {
            let hosts = [
                "https://dynamodb.us-east-1.amazonaws.com", "http://localhost:8000",
                "https://Example.COM:443", "http://example.com:80", "https://example.com:80",
                "http://[::1]:8000", "https://[FD00:EC2::23]",
            ]
            let names = [
                "X-Amz-Target", "content-type", "x-a", "X-A", "x-b", "X-Amz-Z", "accept", "x-a-b",
                "Zebra", "0", "x_a",
            ]
            let headers = (0..<Int.random(in: 0...8)).map { _ in
                [names.randomElement() ?? "x", text("ab;,:=/+\"  \t\t", upTo: 30)]
            }
            return Case(
                method: Bool.random() ? "POST" : "GET",
                url: (hosts.randomElement() ?? "") + "/", headers: headers,
                body: Data((0..<Int.random(in: 0...300)).map { _ in UInt8.random(in: 0...255) }),
                id: "AKID" + text("ABC0123", upTo: 16), secret: text("abcXYZ019/+", upTo: 60),
                token: Bool.random() ? "t" + text("abcXYZ019/+=", upTo: 400) : nil,
                region: ["us-east-1", "cn-north-1"].randomElement() ?? "",
                service: ["dynamodb", "sts"].randomElement() ?? "",
                time: Int.random(in: 0...4_000_000_000))
        }

        private static func text(_ alphabet: String, upTo count: Int) -> String {
            String((0..<Int.random(in: 0...count)).compactMap { _ in alphabet.randomElement() })
        }

        var authorization: String? {
            let keys = Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
            var request = HTTPRequest(
                method: method, url: url, headers: headers.map { (name: $0[0], value: $0[1]) },
                body: Array(body))
            Signer(credentials: keys, region: region, service: service)
                .sign(&request, at: Date(timeIntervalSince1970: TimeInterval(time)))
            return request.headers.last?.value
        }
    }
}
