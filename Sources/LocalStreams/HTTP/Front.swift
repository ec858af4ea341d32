import AWS
import FoundationEssentials
import Records
import Synchronization

/// What stands between HTTP and the service: signatures, headers, and the clock.
///
/// Requests come from many threads; the service answers one at a time.
final class Front: Sendable {
    private struct State {
        var service: Service
        /// How far the clock was set forward by hand, in milliseconds.
        var jumped = 0
    }

    private let authorization: Authorization?
    private let region: String
    private let speed: Double
    private let start: ContinuousClock.Instant
    private let startMilliseconds: Int
    private let state: Mutex<State>
    /// Names the answers.
    private let requestCount: Atomic<UInt64>

    /// A front whose clock starts at the present time.
    /// - Parameters:
    ///   - settings: what the service is like.
    ///   - seed: decides on everything that happens by chance.
    ///   - speed: how many of the service's seconds pass in one second.
    ///   - authorization: the check of signatures; nil for none.
    init(
        _ settings: Service.Settings, seed: UInt64, speed: Double, authorization: Authorization?
    ) {
        self.authorization = authorization
        self.speed = speed
        region = settings.region
        start = ContinuousClock.now
        startMilliseconds = Int(Date().timeIntervalSince1970 * 1_000)
        let service = Service(
            settings, seed: seed, at: Moment(milliseconds: startMilliseconds))
        requestCount = Atomic(seed)
        state = Mutex(State(service: service))
    }

    /// Answers a request.
    func answer(_ request: HTTPRequest) -> HTTPResponse {
        if request.method == "GET" { return healthAnswer(request) }
        guard request.method == "POST", request.url.hasSuffix("/") else {
            return HTTPResponse(status: 404, headers: [:], body: [])
        }
        do {
            try authorization?.check(request, at: Date())
            let target = request.headers.first { $0.name == "x-amz-target" }?.value ?? ""
            let body = try perform(target, request.body)
            return answer(status: 200, body)
        } catch {
            return answer(status: error.status, error.body)
        }
    }

    /// Reads and writes JSON on the thread of the connection: only the service itself is held.
    private func perform(_ target: String, _ body: [UInt8]) throws(ServiceError) -> [UInt8] {
        let request = try Request(target, body)
        let result = state.withLock { state in
            let moment = moment(state)
            return Result { () throws(ServiceError) in
                try state.service.answer(request, at: moment)
            }
        }
        return try result.get().bytes
    }

    /// Calls `body` with the service, whose time is the present one.
    func withService<Value: Sendable>(
        _ body: @Sendable (inout Service) -> sending Value
    ) -> Value {
        state.withLock { state in
            state.service.advance(to: moment(state))
            return body(&state.service)
        }
    }

    /// Sets the service's clock forward.
    func jump(milliseconds: Int) {
        state.withLock { $0.jumped += milliseconds }
    }

    private func moment(_ state: borrowing State) -> Moment {
        let elapsed = (ContinuousClock.now - start) / .milliseconds(1) * speed
        return Moment(milliseconds: startMilliseconds + Int(elapsed) + state.jumped)
    }

    private func answer(status: Int, _ body: [UInt8]) -> HTTPResponse {
        var generator = SeededGenerator(
            seed: requestCount.add(1, ordering: .relaxed).newValue)
        let id = generator.text(52, of: "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        return HTTPResponse(
            status: status,
            headers: [
                "content-type": "application/x-amz-json-1.0",
                "date": Moment(milliseconds: Int(Date().timeIntervalSince1970 * 1_000)).headerText,
                "server": "Server",
                "x-amz-crc32": String(CRC32.checksum(body)),
                "x-amzn-requestid": id,
            ], body: body)
    }

    private func healthAnswer(_ request: HTTPRequest) -> HTTPResponse {
        HTTPResponse(
            status: 200, headers: ["content-type": "text/plain"],
            body: Array("healthy: dynamodb.\(region).amazonaws.com ".utf8))
    }
}
