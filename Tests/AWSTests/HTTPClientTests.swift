import AWS
import Foundation
import TestBed
import Testing

/// The client against a real server: Python's, on a loopback port of the test's own.
@Suite struct HTTPClientTests {
    private let client = HTTPClient()
    private let server: PythonServer

    init() async throws {
        server = try await PythonServer("Python/http_service.py")
    }

    /// What the server says about a request that reached it.
    private struct Echo: Decodable {
        let method: String
        let path: String
        let headers: [[String]]
        let body: String
        let connection: Int

        func values(of name: String) -> [String] {
            headers.filter { $0[0].lowercased() == name }.map { $0[1] }
        }
    }

    /// What the server says about itself.
    private struct ServerState: Decodable {
        let connections: Int
        let held: Int
        let most: Int
        let silent: Int
    }

    private func request(_ path: String) -> HTTPRequest {
        HTTPRequest(method: "GET", url: "\(server.url)/\(path)")
    }

    private func echo(
        _ request: HTTPRequest, by client: HTTPClient? = nil
    ) async throws -> Echo {
        let response = try await (client ?? self.client).send(request)
        return try JSONDecoder().decode(Echo.self, from: Data(response.body))
    }

    private func state() async throws -> ServerState {
        let response = try await client.send(request("state"))
        return try JSONDecoder().decode(ServerState.self, from: Data(response.body))
    }

    private func kind(of request: HTTPRequest, by client: HTTPClient? = nil) async -> HTTPError
        .Kind?
    {
        do {
            _ = try await (client ?? self.client).send(request)
            return nil
        } catch {
            return error.kind
        }
    }

    // MARK: - What arrives

    @Test func `a request arrives as it was given and with nothing that nobody asked for`()
        async throws
    {
        var request = HTTPRequest(method: "POST", url: "\(server.url)/echo")
        request.headers = [("X-One", "1"), ("x-empty", ""), ("content-type", "application/x")]
        request.body = Array("{\"a\": 1}".utf8)
        let echo = try await echo(request)
        #expect(echo.method == "POST")
        #expect(echo.body == "{\"a\": 1}")
        #expect(echo.values(of: "x-one") == ["1"])
        #expect(echo.values(of: "x-empty") == [""])
        #expect(echo.values(of: "content-type") == ["application/x"])
        #expect(echo.values(of: "accept-encoding") == ["identity"])
        #expect(echo.values(of: "user-agent") == ["shardwalk"])
        #expect(echo.values(of: "expect").isEmpty)
        #expect(echo.values(of: "host") == ["127.0.0.1:\(server.port)"])
    }

    @Test func `a large body is sent whole and without waiting for a permission`() async throws {
        var request = HTTPRequest(method: "POST", url: "\(server.url)/echo")
        request.body = [UInt8](repeating: UInt8(ascii: "y"), count: 3_000_000)
        let echo = try await echo(request)
        #expect(echo.body.utf8.count == 3_000_000)
        #expect(echo.values(of: "expect").isEmpty)
    }

    @Test func `a PUT without a body says so and has no content type`() async throws {
        let echo = try await echo(HTTPRequest(method: "PUT", url: "\(server.url)/echo"))
        #expect(echo.method == "PUT")
        #expect(echo.values(of: "content-length") == ["0"])
        #expect(echo.values(of: "content-type").isEmpty)
    }

    @Test func `the host on the wire is the host that is signed`() async throws {
        var configuration = HTTPClient.Configuration()
        // Asked as a proxy, the server sees requests for any host.
        configuration.proxy = server.url
        let client = HTTPClient(configuration)
        let addresses = [
            "http://example.com", "http://Example.COM:80", "http://example.com:8000",
            "HTTP://127.0.0.1:9", "http://[::1]:8000", "http://[FD00:EC2::23]",
            "http://localhost:080",
        ]
        for address in addresses {
            let request = HTTPRequest(method: "GET", url: "\(address)/echo")
            let host = try #require(try await echo(request, by: client).values(of: "host").first)
            #expect(CanonicalRequest(request).text.contains("\nhost:\(host)\n"), "\(address)")
        }
    }

    // MARK: - What comes back

    @Test func `status, headers and body of an answer are the last ones`() async throws {
        let response = try await client.send(request("headers_odd"))
        #expect(response.status == 404)
        #expect(response.headers["x-blank"] == "two  words")
        #expect(response.headers["x-twice"] == "a, b")
        #expect(response.headers["x-empty"] == "")
        #expect(response.headers["x-early"] == nil)
        #expect(response.body == Array("no".utf8))
    }

    @Test(arguments: ["bytes/3000000", "chunks/3000"])
    func `a large answer arrives whole`(path: String) async throws {
        let response = try await client.send(request(path))
        #expect(response.body == [UInt8](repeating: UInt8(ascii: "x"), count: 3_000_000))
    }

    @Test(arguments: ["bytes/1001", "chunks/2"])
    func `an answer beyond its limit is refused, at the limit it is not`(path: String) async throws
    {
        var large = request(path)
        large.bodyLimit = 1_000
        #expect(await kind(of: large) == .tooLarge)
        var small = request("bytes/1000")
        small.bodyLimit = 1_000
        #expect(try await client.send(small).body.count == 1_000)
    }

    @Test func `headers without an end are refused`() async throws {
        #expect(await kind(of: request("headers_many/80")) == .tooLarge)
    }

    @Test func `a redirect is an answer like any other`() async throws {
        #expect(try await client.send(request("redirect")).status == 302)
    }

    // MARK: - Connections

    @Test func `one connection serves requests that follow each other`() async throws {
        var connections: Set<Int> = []
        for _ in 0..<20 { connections.insert(try await echo(request("echo")).connection) }
        #expect(connections.count == 1)
        #expect(try await state().connections == 1)
    }

    @Test func `a thousand requests at once share the connections and all are answered`()
        async throws
    {
        var configuration = HTTPClient.Configuration()
        configuration.maximumConnections = 16
        let crowded = HTTPClient(configuration)
        var request = request("hold/1")
        request.timeout = .seconds(3_600)
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<1_000 {
                group.addTask { [request] in try await crowded.send(request).status }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses == [Int](repeating: 200, count: 1_000))
        let state = try await state()
        #expect(state.most <= 16)
        // One more is the connection that asks.
        #expect(state.connections <= 17)
    }

    @Test func `a proxy is used unless a request bypasses it`() async throws {
        let port = try ClosedPort()
        defer { withExtendedLifetime(port) {} }
        var configuration = HTTPClient.Configuration()
        configuration.proxy = "http://127.0.0.1:\(port.number)"
        let client = HTTPClient(configuration)
        var request = request("echo")
        #expect(await kind(of: request, by: client) == .unreachable)
        request.bypassesProxy = true
        #expect(try await echo(request, by: client).path == "/echo")
    }

    // MARK: - Failures

    @Test func `nobody at the address is an unreachable host`() async throws {
        let port = try ClosedPort()
        defer { withExtendedLifetime(port) {} }
        let address = "http://127.0.0.1:\(port.number)"
        #expect(await kind(of: HTTPRequest(method: "GET", url: address)) == .unreachable)
    }

    @Test(arguments: ["cut", "mute", "garbage"])
    func `an answer that breaks off or is none is a broken transfer`(path: String) async throws {
        #expect(await kind(of: request(path)) == .broken)
        #expect(try await echo(request("echo")).method == "GET")
    }

    @Test func `a server that does not answer is left after the total time`() async throws {
        var request = request("hold")
        request.timeout = .milliseconds(100)
        #expect(await kind(of: request) == .timedOut)
    }

    @Test func `a server that does not shake hands is left after the connect time`() async throws {
        let port = try await state().silent
        var request = HTTPRequest(method: "GET", url: "https://127.0.0.1:\(port)/")
        request.connectTimeout = .milliseconds(100)
        request.timeout = .seconds(3_600)
        #expect(await kind(of: request) == .timedOut)
    }

    @Test func `waiting for a free connection counts as time`() async throws {
        var configuration = HTTPClient.Configuration()
        configuration.maximumConnections = 1
        let narrow = HTTPClient(configuration)
        var first = request("hold")
        first.timeout = .seconds(3_600)
        var second = request("echo")
        second.timeout = .milliseconds(100)
        let task = Task { [first] in await kind(of: first, by: narrow) }
        try await held(1)
        #expect(await kind(of: second, by: narrow) == .timedOut)
        task.cancel()
        #expect(await task.value == .cancelled)
    }

    @Test func `a cancelled request leaves the server at once`() async throws {
        let request = request("hold")
        let task = Task { await kind(of: request) }
        try await held(1)
        task.cancel()
        #expect(await task.value == .cancelled)
        try await held(0)
    }

    @Test func `a request of a cancelled task is not sent`() async throws {
        let request = request("echo")
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await kind(of: request)
        }
        task.cancel()
        #expect(await task.value == .cancelled)
    }

    @Test func `a client that is shut down gives up its requests and takes no more`() async throws {
        let closing = HTTPClient()
        let request = request("hold")
        let task = Task { await kind(of: request, by: closing) }
        try await held(1)
        await closing.shutdown()
        #expect(await task.value == .cancelled)
        #expect(await kind(of: request, by: closing) == .cancelled)
        await closing.shutdown()
    }

    /// Waits until the server holds `count` requests.
    private func held(_ count: Int) async throws {
        try await wait { try await state().held == count }
    }
}

/// Requests that cannot be sent, so nobody has to be there.
@Suite struct MalformedRequestTests {
    @Test(arguments: [
        "ftp://127.0.0.1/", "file:///etc/hosts", "127.0.0.1:80", "", "http://", "http:///x",
        "http://user:secret@127.0.0.1/", "http://127.0.0.1/a b",
    ])
    func `what is no plain address is malformed`(address: String) async {
        #expect(await kind(of: HTTPRequest(method: "GET", url: address)) == .malformed)
    }

    @Test(arguments: [
        ("x-a", "1\r\nX-Forged: 1"), ("x-a", "1\n"), ("x-a", "\u{0}"), ("x a", "1"), ("", "1"),
        ("x:a", "1"),
    ])
    func `a header that would be read as another is malformed`(name: String, value: String) async {
        var request = HTTPRequest(method: "GET", url: "http://127.0.0.1/")
        request.headers = [(name, value)]
        #expect(await kind(of: request) == .malformed)
    }

    private func kind(of request: HTTPRequest) async -> HTTPError.Kind? {
        do {
            _ = try await HTTPClient().send(request)
            return nil
        } catch {
            return error.kind
        }
    }
}
