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
        /// The check of signatures; nil for none.
        var authorization: Authorization?
        var faults: FaultSequence
        /// How many requests came for each operation, whatever was answered.
        var calls: [Operation: Int] = [:]
    }

    /// How far the clock is ahead where it is wrong, in seconds.
    private static let skew: TimeInterval = 60 * 60

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
        self.speed = speed
        region = settings.region
        start = ContinuousClock.now
        startMilliseconds = Int(Date().timeIntervalSince1970 * 1_000)
        let service = Service(
            settings, seed: seed, at: Moment(milliseconds: startMilliseconds))
        requestCount = Atomic(seed)
        state = Mutex(
            State(
                service: service, authorization: authorization,
                // Apart from the service's chances: with other faults it makes the same shards.
                faults: FaultSequence(seed: ~seed)))
    }

    /// Replaces all faults; the script begins now.
    func set(_ faults: LocalStreams.Faults) {
        state.withLock { $0.faults.set(faults, at: elapsedMilliseconds) }
    }

    /// From now on `credentials` are served, and those before them have expired.
    func replaceKeys(with credentials: Credentials) {
        state.withLock { $0.authorization?.replaceKeys(with: credentials) }
    }

    /// Answers a request.
    func answer(_ request: HTTPRequest) -> Answer {
        if request.method == "GET" {
            let isCount = request.url.hasSuffix("/calls")
            return Answer(response: isCount ? callsAnswer() : healthAnswer(request))
        }
        if request.method == "POST", request.url.hasSuffix("/rollover") {
            withService { $0.rollOver() }
            return Answer(response: HTTPResponse(status: 200, headers: [:], body: []))
        }
        guard request.method == "POST", request.url.hasSuffix("/") else {
            return Answer(response: HTTPResponse(status: 404, headers: [:], body: []))
        }
        let target = request.headers.first { $0.name == "x-amz-target" }?.value ?? ""
        let operation = Operation(rawValue: target)
        let (mishap, authorization, trickle) = state.withLock { state in
            if let operation { state.calls[operation, default: 0] += 1 }
            let mishap = operation.flatMap {
                state.faults.next(for: $0, at: elapsedMilliseconds)
            }
            return (mishap, state.authorization, state.faults.trickle)
        }
        let now = Date() + (mishap?.fault == .clockSkew ? Self.skew : 0)
        let response: HTTPResponse
        do throws(ServiceError) {
            try authorization?.check(request, at: now)
            let body =
                mishap?.preventsEffect == true ? [] : try perform(target, request.body)
            if let operation, let error = mishap?.fault.error(for: operation) { throw error }
            response = answer(status: 200, body, at: now)
        } catch {
            response = answer(status: error.status, error.body, at: now)
        }
        return Self.deliver(response, mishap?.fault, trickle: trickle)
    }

    /// What becomes of an answer on its way.
    private static func deliver(
        _ response: HTTPResponse, _ fault: LocalStreams.Fault?, trickle: Int
    ) -> Answer {
        switch fault {
        case .reset: return Answer(response: response, delivery: .reset)
        case .cut: return Answer(response: response, delivery: .cut)
        case .trickle:
            return Answer(response: response, delivery: .trickle(milliseconds: trickle))
        case .wrongChecksum:
            var headers = response.headers
            headers["x-amz-crc32"] = String(CRC32.checksum(response.body) ^ 1)
            return Answer(
                response: HTTPResponse(
                    status: response.status, headers: headers, body: response.body))
        case .unavailable:
            let page = "<html><body><b>Http/1.1 Service Unavailable</b></body></html>"
            return Answer(
                response: HTTPResponse(
                    status: 503, headers: ["content-type": "text/html"], body: Array(page.utf8)))
        default: return Answer(response: response)
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

    /// The real time since the start.
    private var elapsedMilliseconds: Int { (ContinuousClock.now - start).milliseconds }

    private func moment(_ state: borrowing State) -> Moment {
        let elapsed = (ContinuousClock.now - start) / .milliseconds(1) * speed
        return Moment(milliseconds: startMilliseconds + Int(elapsed) + state.jumped)
    }

    private func answer(status: Int, _ body: [UInt8], at now: Date) -> HTTPResponse {
        var generator = SeededGenerator(
            seed: requestCount.add(1, ordering: .relaxed).newValue)
        let id = generator.text(52, of: "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        return HTTPResponse(
            status: status,
            headers: [
                "content-type": "application/x-amz-json-1.0",
                "date": Moment(milliseconds: Int(now.timeIntervalSince1970 * 1_000)).headerText,
                "server": "Server",
                "x-amz-crc32": String(CRC32.checksum(body)),
                "x-amzn-requestid": id,
            ], body: body)
    }

    /// What no service of AWS's tells: how often each operation was asked for since the start.
    private func callsAnswer() -> HTTPResponse {
        let calls = state.withLock(\.calls)
        let members = Operation.allCases.compactMap { operation in
            calls[operation].map { JSON.Member(name: Text(operation.name), value: .integer($0)) }
        }
        return HTTPResponse(
            status: 200, headers: ["content-type": "application/json"],
            body: JSON.object(members).bytes)
    }

    private func healthAnswer(_ request: HTTPRequest) -> HTTPResponse {
        HTTPResponse(
            status: 200, headers: ["content-type": "text/plain"],
            body: Array("healthy: dynamodb.\(region).amazonaws.com ".utf8))
    }
}
