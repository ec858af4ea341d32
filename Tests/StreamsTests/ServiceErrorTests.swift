import AWS
import Testing
import Walk

@testable import Streams

@Suite struct ServiceErrorTests {
    private func error(
        _ status: Int, _ body: String, _ headers: [String: String] = [:]
    ) -> ServiceError {
        ServiceError(HTTPResponse(status: status, headers: headers, body: Array(body.utf8)))
    }

    @Test(arguments: [
        #"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Slow."}"#,
        #"{"__type":"ThrottlingException","message":"Slow."}"#,
        #"{"__type":"com.amazon.coral.service#ThrottlingException","Message":"Slow."}"#,
        #"{"__type":"a#ThrottlingException:http://example.com/x#y","message":"Slow."}"#,
        #"{"code":"ThrottlingException","message":"Slow.","other":[1]}"#,
        #"{"__type":7,"code":"ThrottlingException","message":"Slow.","Message":"No."}"#,
    ])
    func `code and message are found in every form that services write`(body: String) {
        let error = error(400, body, ["x-amzn-requestid": "R1"])
        #expect(error.code == "ThrottlingException")
        #expect(error.message == "Slow.")
        #expect(error.requestID == "R1")
        #expect(error.kind == .throttled)
    }

    @Test func `a header names the error when the body does not`() {
        let error = error(500, "", ["x-amzn-errortype": "InternalFailure:http://example.com/"])
        #expect(error.code == "InternalFailure")
        #expect(error.message == "")
        #expect(error.kind == .unavailable)
    }

    @Test func `what is not the service's own is kept short and on one line`() {
        let page = "<html>\n<h1>502\tBad \u{7} Gateway</h1>" + String(repeating: "é", count: 5_000)
        let error = error(502, page)
        #expect(error.code == nil)
        #expect(error.kind == .unavailable)
        #expect(error.message.hasPrefix("<html> <h1>502 Bad Gateway</h1>é"))
        #expect(error.message.utf8.count <= 503)
    }

    /// Any number of accents makes one character.
    @Test(arguments: [
        (#"{"__type":"\#(String(repeating: "x", count: 1 << 20))"}"#, ""),
        (#"{"__type":"T","message":"e\#(String(repeating: "\u{301}", count: 1 << 20))"}"#, ""),
        ("", String(repeating: "x", count: 1 << 20)), ("", "a\u{1b}[2J\u{9b}b\u{7f}\u{85}c"),
    ])
    func `whatever a server says is a line that a log can bear`(body: String, header: String) {
        let headers = ["x-amzn-errortype": header, "x-amzn-requestid": header]
        let text = "\(error(400, body, headers).sourceError("GetRecords"))"
        #expect(text.utf8.count < 800)
        #expect(text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
    }

    @Test(
        arguments: [
            ("ResourceNotFoundException", .notFound),
            ("TrimmedDataAccessException", .trimmed),
            ("ExpiredIteratorException", .expiredIterator),
            ("LimitExceededException", .throttled),
            ("ThrottlingException", .throttled),
            ("ProvisionedThroughputExceededException", .throttled),
            ("RequestLimitExceeded", .throttled),
            ("InternalServerError", .unavailable),
            ("ServiceUnavailable", .unavailable),
            ("ValidationException", .invalid),
            ("AccessDeniedException", .denied),
            ("UnrecognizedClientException", .denied),
            ("ExpiredTokenException", .denied),
            ("InvalidSignatureException", .denied),
            ("IncompleteSignatureException", .denied),
            ("MissingAuthenticationTokenException", .denied),
            ("SerializationException", .invalid),
            ("UnknownOperationException", .invalid),
            ("SomethingNewException", .invalid),
        ] as [(String, SourceError.Kind)])
    func `each code has its meaning`(code: String, kind: SourceError.Kind) {
        #expect(error(400, #"{"__type":"x#\#(code)"}"#).kind == kind)
    }

    @Test func `an unknown code with a status of the server's passes by itself`() {
        #expect(error(500, #"{"__type":"SomethingNewException"}"#).kind == .unavailable)
        #expect(error(503, #"{"__type":"ThrottlingException"}"#).kind == .throttled)
    }

    /// None of them may look like an answer about a shard or a stream.
    @Test(
        arguments: [
            (400, .unavailable), (404, .unavailable), (302, .unavailable), (204, .unavailable),
            (503, .unavailable), (429, .throttled), (403, .denied), (407, .denied),
        ] as [(Int, SourceError.Kind)])
    func `a status alone comes from somebody in between`(status: Int, kind: SourceError.Kind) {
        #expect(error(status, "<html>no</html>").kind == kind)
        #expect(error(status, "").kind == kind)
        #expect(error(status, "{").kind == kind)
        #expect(error(status, "[]").kind == kind)
    }
}
