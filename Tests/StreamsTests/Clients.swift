import AWS
import Foundation
import Logging
import Streams
import TestBed
import Walk

/// Keys as a service hands them out one after the other; the last ones again and again.
final class Keys: Sendable {
    /// What the clients of a test share.
    let connection: ServiceClient.Connection
    /// The clock that they sign with.
    let clock: ServerClock

    convenience init(_ generations: [Credentials] = [Keys.first], time: Date? = nil) {
        let counter = Counter()
        self.init(time: time) { () async throws(CredentialError) in
            generations[min(await counter.next(), generations.count - 1)]
        }
    }

    /// Keys from a source of the test's own.
    init(
        time: Date? = nil,
        _ source: @escaping @Sendable () async throws(CredentialError) -> Credentials
    ) {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let clock = ServerClock(logger: logger) { time ?? Date() }
        let cache = CredentialCache(logger: logger, fetch: source)
        connection = ServiceClient.Connection(http: HTTPClient(), credentials: cache, clock: clock)
        self.clock = clock
    }

    /// The streams of a server, by these keys.
    func streams(at url: String) -> StreamsSource {
        StreamsSource(ServiceClient(.streams, at: url, region: "eu-west-1", over: connection))
    }

    /// The tables of a server, by these keys.
    func tables(at url: String) -> Tables {
        Tables(ServiceClient(.tables, at: url, region: "eu-west-1", over: connection))
    }

    /// The keys of the script that writes tables.
    static let writer = Credentials(accessKeyID: "id", secretAccessKey: "secret")
    static let first = Credentials(
        accessKeyID: "first", secretAccessKey: "secret", sessionToken: "token-1")
    static let second = Credentials(
        accessKeyID: "second", secretAccessKey: "secret", sessionToken: "token-2")

    private actor Counter {
        var count = 0

        func next() -> Int {
            defer { count += 1 }
            return count
        }
    }
}

/// One answer of the scripted service.
struct Answer: Encodable, Sendable {
    var status = 200
    var headers: [[String]] = [["x-amzn-RequestId", "R1"]]
    var body = "{}"
    var cut = false

    /// The service's own error.
    static func error(_ code: String, status: Int = 400, date: String? = nil) -> Answer {
        var answer = Answer(
            status: status, body: #"{"__type":"a.b#\#(code)","message":"Because."}"#)
        if let date { answer.headers.append(["Date", date]) }
        return answer
    }
}

/// A request that reached the scripted service.
struct Request: Decodable {
    let headers: [String: String]
    let body: String
}

extension PythonServer {
    /// A service that always gives the same answer.
    static func scripted(_ answer: Answer) async throws -> PythonServer {
        try await scripted([answer])
    }

    /// A service that gives `answers` one after the other, and the last one from then on.
    static func scripted(_ answers: [Answer]) async throws -> PythonServer {
        let script = String(decoding: try JSONEncoder().encode(answers), as: UTF8.self)
        return try await PythonServer("Python/scripted_service.py", [script])
    }

    /// The requests that reached the scripted service.
    func requests() async throws -> [Request] {
        let answer = try await HTTPClient().send(HTTPRequest(method: "GET", url: url))
        return try JSONDecoder().decode([Request].self, from: Data(answer.body))
    }

    /// The streams of this server.
    func streams(_ keys: Keys = Keys()) -> StreamsSource { keys.streams(at: url) }

    /// The tables of this server.
    func tables(_ keys: Keys = Keys()) -> Tables { keys.tables(at: url) }
}
