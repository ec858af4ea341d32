import AWS
import Foundation
import Records
import Streams
import TestBed
import Testing
import Walk

/// What goes over the wire, and what comes of every kind of answer, against a server that says what it is told.
@Suite struct ServiceClientTests {
    private static let page = Answer(body: #"{"NextShardIterator":"iter-2","Records":[]}"#)
    private let iterator = ShardIterator("iter/1")

    private func failure(_ server: PythonServer, _ keys: Keys = Keys()) async -> SourceError? {
        do {
            _ = try await server.streams(keys).page(at: iterator)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a call is a signed post of JSON to the root`() async throws {
        let server = try await PythonServer.scripted(Self.page)
        let time = Date(timeIntervalSince1970: 1_440_938_160)
        let page = try await server.streams(Keys(time: time)).page(at: iterator)
        #expect(page.next == ShardIterator("iter-2"))
        #expect(page.records.isEmpty)
        let requests = try await server.requests()
        let request = try #require(requests.first)
        #expect(requests.count == 1)
        #expect(request.body == #"{"Limit":1000,"ShardIterator":"iter/1"}"#)
        #expect(request.headers["content-type"] == "application/x-amz-json-1.0")
        #expect(request.headers["x-amz-target"] == "DynamoDBStreams_20120810.GetRecords")
        #expect(request.headers["x-amz-date"] == "20150830T123600Z")
        #expect(request.headers["x-amz-security-token"] == "token-1")
        let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,"
        let authorization = try #require(request.headers["authorization"])
        #expect(
            authorization.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=first/20150830/eu-west-1/dynamodb/aws4_request, "
                    + signed))
    }

    @Test func `the checksum of an answer has to agree, if there is one`() async throws {
        var good = Self.page
        good.headers.append(["x-amz-crc32", "1927947936"])
        var bad = Self.page
        bad.headers.append(["x-amz-crc32", "1927947935"])
        var odd = Self.page
        odd.headers.append(["x-amz-crc32", "many"])
        let server = try await PythonServer.scripted([good, bad, odd])
        #expect(await failure(server) == nil)
        for _ in 0..<2 {
            let error = try #require(await failure(server))
            #expect(error.kind == .unavailable)
            #expect(error.requestID == "R1")
        }
    }

    /// The absence of NextShardIterator ends a shard, so nothing else may look like it.
    @Test func `a malformed page is a failure that passes, not a shard's end`() async throws {
        let bodies = [
            "", "{", "{}", "[]", "null", "<html>503</html>", #"{"Records":[{]}"#,
            #"{"Records":[],"NextShardIterator":""}"#, #"{"Records":[]"#,
        ]
        let server = try await PythonServer.scripted(bodies.map { Answer(body: $0) })
        for body in bodies { #expect(await failure(server)?.kind == .unavailable, "\(body)") }
    }

    @Test func `an answer that breaks off is a failure that passes`() async throws {
        var answer = Self.page
        answer.cut = true
        let server = try await PythonServer.scripted(answer)
        #expect(await failure(server)?.kind == .unavailable)
    }

    @Test func `a failure is told with its code, words and request, and tried once`() async throws {
        let server = try await PythonServer.scripted(.error("ThrottlingException"))
        let error = try #require(await failure(server))
        #expect(error.kind == .throttled)
        #expect("\(error)" == "GetRecords: ThrottlingException: Because. (request R1)")
        #expect(try await server.requests().count == 1)
    }

    @Test func `a load balancer's page is told with its status`() async throws {
        let server = try await PythonServer.scripted(
            Answer(status: 503, headers: [], body: "<html>Service\nUnavailable</html>"))
        let error = try #require(await failure(server))
        #expect(error.kind == .unavailable)
        #expect("\(error)" == "GetRecords: HTTP 503: <html>Service Unavailable</html>")
    }

    /// What others say ends up in a log.
    @Test func `whoever says much is cut short, and what is to be done is not`() async throws {
        let much = String(repeating: "x", count: 20_000)
        var damaged = Answer(headers: [["x-amzn-RequestId", much], ["x-amz-crc32", "1"]])
        damaged.body = much
        let stranger = Answer(
            body: #"{"Table":{"LatestStreamArn":"\#(much)","KeySchema":[],"#
                + #""StreamSpecification":{"StreamEnabled":true}}}"#)
        let server = try await PythonServer.scripted([damaged, stranger])
        let first = try #require(await failure(server))
        #expect("\(first)".utf8.count < 500)
        let table = await #expect(throws: SourceError.self) {
            try await server.tables().stream(of: "items")
        }
        let words = try #require(table.map { "\($0)" })
        #expect(words.contains("names a stream that is none: xxx") && words.utf8.count < 500)

        let reason = CredentialError(.unavailable, much, remedy: "wait")
        let keys = Keys { () async throws(CredentialError) in throw reason }
        let third = try #require(await failure(server, keys))
        #expect("\(third)".hasSuffix("To mend it: wait") && "\(third)".utf8.count < 1_000)
    }

    @Test func `a service that is not there passes`() async throws {
        let server = try await PythonServer.scripted(Self.page)
        server.stop()
        let error = try #require(await failure(server))
        #expect(error.kind == .unavailable)
        #expect(error.message.contains("127.0.0.1:\(server.port)"))
    }

    @Test func `a cancelled call says so`() async throws {
        let server = try await PythonServer.scripted(Self.page)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await failure(server)
        }
        task.cancel()
        #expect(await task.value?.kind == .cancelled)
    }

    // MARK: - What a call mends itself

    @Test(arguments: ["ExpiredTokenException", "UnrecognizedClientException"])
    func `refused keys are renewed once and the call goes on`(code: String) async throws {
        let server = try await PythonServer.scripted([.error(code), Self.page])
        let keys = Keys([Keys.first, Keys.second])
        _ = try await server.streams(keys).page(at: iterator)
        let requests = try await server.requests()
        #expect(requests.map { $0.headers["x-amz-security-token"] } == ["token-1", "token-2"])
    }

    @Test func `keys that are refused again end the call`() async throws {
        let server = try await PythonServer.scripted(.error("ExpiredTokenException"))
        let keys = Keys([Keys.first, Keys.second])
        let error = try #require(await failure(server, keys))
        #expect(error.kind == .denied)
        #expect(error.code == "ExpiredTokenException")
        #expect(try await server.requests().count == 2)
    }

    @Test func `a signature spoilt by this host's clock is made again with the service's`()
        async throws
    {
        let skewed = Answer.error(
            "InvalidSignatureException", date: "Sun, 06 Nov 1994 08:49:37 GMT")
        let server = try await PythonServer.scripted([skewed, Self.page])
        let keys = Keys(time: Date(timeIntervalSince1970: 784_111_777 + 3_600))
        _ = try await server.streams(keys).page(at: iterator)
        _ = try await server.streams(keys).page(at: iterator)
        let requests = try await server.requests()
        #expect(
            requests.map { $0.headers["x-amz-date"] }
                == ["19941106T094937Z", "19941106T084937Z", "19941106T084937Z"])
        #expect(keys.clock.now() == Date(timeIntervalSince1970: 784_111_777))
    }

    @Test func `a wrong clock is learnt from any answer`() async throws {
        var late = Self.page
        late.headers.append(["Date", "Sun, 06 Nov 1994 08:49:37 GMT"])
        let server = try await PythonServer.scripted(late)
        let keys = Keys(time: Date(timeIntervalSince1970: 784_111_777 + 120))
        _ = try await server.streams(keys).page(at: iterator)
        #expect(keys.clock.now() == Date(timeIntervalSince1970: 784_111_777))
    }

    @Test(arguments: [0, 239, 3_600])
    func `a signature that is refused at the right time, or again, ends the call`(
        ahead: Double
    ) async throws {
        let server = try await PythonServer.scripted(
            .error("InvalidSignatureException", date: "Sun, 06 Nov 1994 08:49:37 GMT"))
        let keys = Keys(time: Date(timeIntervalSince1970: 784_111_777 + ahead))
        let error = try #require(await failure(server, keys))
        #expect(error.kind == .denied)
        #expect(try await server.requests().count == (ahead > 240 ? 2 : 1))
    }
}
