import AWS
import Foundation
import TestBed
import Testing

/// TLS against a server whose certificate comes from an authority that only the test knows.
@Suite struct HTTPClientTLSTests {
    private let directory: TemporaryDirectory
    private let server: PythonServer

    init() async throws {
        directory = try TemporaryDirectory()
        _ = try await Python.run("Python/certificates.py", [directory.path])
        server = try await PythonServer(
            "Python/http_service.py", [directory.path("server.pem"), directory.path("server.key")])
    }

    private func send(_ host: String, trusting bundle: String?) async throws(HTTPError) -> Int {
        var configuration = HTTPClient.Configuration()
        configuration.certificateBundle = bundle.map(directory.path)
        let url = "https://\(host):\(server.port)/echo"
        var request = HTTPRequest(method: "GET", url: url)
        request.connectTimeout = .seconds(3_600)
        return try await HTTPClient(configuration).send(request).status
    }

    @Test func `a server is trusted by the bundle that holds its authority`() async throws {
        #expect(try await send("127.0.0.1", trusting: "ca.pem") == 200)
    }

    @Test(arguments: [
        ("127.0.0.1", nil), ("127.0.0.1", "missing.pem"), ("127.0.0.1", "server.key"),
        ("localhost", "ca.pem"),
    ])
    func `an unknown authority and a foreign name are refused`(host: String, bundle: String?) async
    {
        let error = await #expect(throws: HTTPError.self) { try await send(host, trusting: bundle) }
        #expect(error?.kind == .tls)
    }
}
