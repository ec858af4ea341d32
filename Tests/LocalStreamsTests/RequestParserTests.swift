import AWS
import Testing

@testable import LocalStreams

@Suite struct RequestParserTests {
    private static let post =
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nX-Odd:\t a  b \r\nContent-Length: 5\r\n\r\nhello"

    /// The request that comes next; nil for any other step.
    private static func request(
        _ parser: inout RequestParser
    ) -> (request: HTTPRequest, keepsAlive: Bool)? {
        guard case .request(let request, let keepsAlive) = parser.next() else { return nil }
        return (request, keepsAlive)
    }

    @Test func `a request may come in any two pieces`() throws {
        let bytes = Array(Self.post.utf8)
        for cut in 0..<bytes.count {
            var parser = RequestParser()
            parser.append(bytes[..<cut])
            #expect(Self.request(&parser) == nil)
            parser.append(bytes[cut...])
            let (request, keepsAlive) = try #require(Self.request(&parser))
            #expect(request.method == "POST")
            #expect(request.url == "http://127.0.0.1:1/")
            #expect(request.headers.map(\.name) == ["host", "x-odd", "content-length"])
            #expect(request.headers.map(\.value) == ["127.0.0.1:1", "a  b", "5"])
            #expect(request.body == Array("hello".utf8))
            #expect(keepsAlive)
            #expect(Self.request(&parser) == nil)
        }
    }

    @Test func `requests that come together are given out one by one`() throws {
        var parser = RequestParser()
        parser.append(Array((Self.post + "GET /x HTTP/1.0\r\n\r\n" + Self.post).utf8))
        #expect(try #require(Self.request(&parser)).request.method == "POST")
        let old = try #require(Self.request(&parser))
        #expect(old.request.url == "http:///x" && !old.keepsAlive)
        #expect(Self.request(&parser) != nil)
        #expect(Self.request(&parser) == nil)
    }

    @Test func `a client that waits is told to go on, once`() throws {
        var parser = RequestParser()
        parser.append(
            Array("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".utf8))
        guard case .awaitsContinue = parser.next() else {
            Issue.record("the client waits for an answer that does not come")
            return
        }
        #expect(Self.request(&parser) == nil)
        parser.append(Array("ok".utf8))
        #expect(try #require(Self.request(&parser)).request.body == Array("ok".utf8))
    }

    @Test(arguments: [
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: much\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("POST /\r\n\r\n", 400),
        ("\r\n\r\n", 400),
        ("POST / HTTP/2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nX: " + String(repeating: "x", count: 70_000), 431),
    ])
    func `what is not served is refused`(text: String, status: Int) {
        var parser = RequestParser()
        parser.append(Array(text.utf8))
        guard case .refused(let found) = parser.next() else {
            Issue.record("not refused: \(text.prefix(60))")
            return
        }
        #expect(found == status)
    }

    @Test func `a connection is closed when the client asks for it`() throws {
        var parser = RequestParser()
        parser.append(Array("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n".utf8))
        #expect(try #require(Self.request(&parser)).keepsAlive == false)
    }
}
