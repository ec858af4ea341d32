import LocalRedis
import Synchronization
import TestBed
import Testing
import Walk

@testable import Redis

// Logins by tokens against a server with users. The server knows each token before the connection does, whenever that
// asks for one, so no test depends on when a login is made, or how often.
@Suite(.timeLimit(.minutes(10)))
struct TokenLoginTests {
    private let users = [
        "user renewer on ~* &* +@all", "slowlog-log-slower-than 0", "slowlog-max-len 20000",
    ]

    /// Settings under which logins follow each other as fast as they can be noticed, and nothing else hurries.
    private func hurry(_ configuration: inout RedisConfiguration, _ mint: Mint) {
        configuration.tokenLogin = mint.login
        configuration.tokenLogin?.renewal = .milliseconds(1) ... .milliseconds(10)
        configuration.idleLimit = .milliseconds(5)
        configuration.idleTimeout = .seconds(60)
        // Tokens are made by tasks, and all tests together keep those waiting at times.
        configuration.connectTimeout = .seconds(300)
        configuration.commandTimeout = .seconds(60)
    }

    private func withMint(
        log: LogRecord = LogRecord(), connectTimeout: Duration = .seconds(300),
        _ body: (RedisSink, Mint) async throws -> Void
    ) async throws {
        try await withRedisServer(settings: users) { server in
            let mint = Mint(server)
            try await withSink(
                "unix://renewer@\(server.socketPath)", log: log,
                { configuration in
                    hurry(&configuration, mint)
                    configuration.connectTimeout = connectTimeout
                }
            ) { sink in try await body(sink, mint) }
            for line in log.lines { #expect(!line.contains(Mint.secret), "\(line)") }
        }
    }

    @Test func `logins are renewed over the same connection, idle or not`() async throws {
        let log = LogRecord()
        try await withMint(log: log) { sink, mint in
            let first = try await sink.replies(to: [["CLIENT", "ID"], ["ACL", "WHOAMI"]])
            #expect(first[1].text == "renewer")
            try await wait(atMost: 300) { mint.made > 20 }
            for round in 0..<200 { try await sink.apply(changes([("k", "\(round)")])) }
            let before = mint.made
            try await wait(atMost: 300) {
                try await sink.apply(changes([("k", "v")]))
                return mint.made > before + 20
            }
            #expect(try await sink.replies(to: [["CLIENT", "ID"], ["ACL", "WHOAMI"]]) == first)
            let info = mint.server.command("INFO commandstats") ?? ""
            let auth = info.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_auth:") }
            #expect(auth?.contains("failed_calls=0") == true, "\(auth ?? "no AUTH")")
        }
        #expect(log.lines.allSatisfy { !$0.hasPrefix("warning") }, "\(log.lines)")
        #expect(log.lines.contains { $0.hasPrefix("info Logged in to Redis again") })
    }

    @Test func `a login comes between transactions and between batches, never inside`() async throws
    {
        try await withMint { sink, mint in
            let enough: @Sendable () -> Bool = { mint.made > 60 }
            try await withThrowingTaskGroup { group in
                for caller in 0..<3 {
                    group.addTask {
                        let commands =
                            [["MULTI"]] + (0..<99).map { ["SET", "t\(caller):\($0)", ""] }
                        while !enough() {
                            let replies = try await sink.replies(to: commands + [["EXEC"]])
                            let queued = Array(repeating: Reply.status("QUEUED"), count: 99)
                            let done = Array(repeating: Reply.status("OK"), count: 99)
                            #expect(replies == [.status("OK")] + queued + [.array(done)])
                        }
                    }
                    group.addTask {
                        var number = 0
                        while !enough() {
                            number += 1
                            // More than one pipeline takes: batches of several callers share pipelines.
                            let keys = (0..<1_700).map { ("b\(caller).\(number):\($0)", "v") }
                            try await sink.apply(changes(keys))
                        }
                    }
                }
                try await group.waitForAll()
            }
            let history = try await self.history(sink)
            var logins = 0
            for (index, batch) in history.enumerated() where batch == "AUTH" {
                logins += 1
                let before = history[..<index].last { $0 != "AUTH" }
                let after = history[index...].first { $0 != "AUTH" }
                #expect(before != after || after == nil, "a login inside \(after ?? "")")
            }
            #expect(logins > 0)
        }
    }

    /// What the connection has sent lately, in order: `AUTH`, and for each SET of a batch which one it is of.
    private func history(_ sink: RedisSink) async throws -> [String] {
        let replies = try await sink.replies(to: [["SLOWLOG", "GET", "-1"]])
        guard case .array(let entries) = replies[0] else {
            throw TestBedError("no SLOWLOG: \(replies)")
        }
        return entries.reversed().compactMap { entry in
            guard case .array(let fields) = entry, case .array(let words) = fields[3] else {
                return nil
            }
            switch words[0].text?.uppercased() {
            case "AUTH": return "AUTH"
            case "SET":
                guard let key = words[1].text, key.hasPrefix("b") else { return nil }
                return key.split(separator: ":").first.map(String.init)
            default: return nil
            }
        }
    }

    @Test(arguments: [Mint.Mode.unknown, .failing, .late])
    func `a login that can't be renewed leaves the connection in use and is tried again`(
        mode: Mint.Mode
    ) async throws {
        let log = LogRecord()
        try await withMint(
            log: log, connectTimeout: mode == .late ? .seconds(5) : .seconds(300)
        ) { sink, mint in
            try await sink.applyUntilTaken(changes([("k", "1")]))
            let id = try await sink.replies(to: [["CLIENT", "ID"]])
            mint.set(mode)
            let words = "could not be renewed; the connection is kept"
            try await wait(atMost: 300) {
                // What is written does not notice.
                try await sink.apply(changes([("k", "2")]))
                return log.lines.contains { $0.contains(words) }
            }
            let line = try #require(log.lines.last { $0.contains(words) })
            #expect(line.hasPrefix("warning") && line.contains("attempt="))
            #expect(line.contains(mode.words), "\(line)")
            if mode == .late { try await wait(atMost: 300) { mint.abandoned > 0 } }
            let told = log.lines.count
            mint.set(.good)
            try await wait(atMost: 300) {
                log.lines.dropFirst(told).contains { $0.contains("Logged in to Redis again") }
            }
            #expect(try await sink.replies(to: [["CLIENT", "ID"]]) == id)
        }
    }

    @Test func `a connection that is lost at any moment is made again with a new token`()
        async throws
    {
        try await withMint { sink, mint in
            for round in 0..<10 {
                // Refused logins would be denied, which ends this.
                try await sink.applyUntilTaken(changes([("k", "\(round)")]))
                let before = mint.made
                mint.server.command("CLIENT KILL USER renewer")
                try await sink.applyUntilTaken(changes([("k", "\(round)")]))
                try await wait(atMost: 300) { mint.made > before }
            }
        }
    }

    @Test
    func `a token that is refused at first is told with what it was made for, and asked for anew`()
        async throws
    {
        let log = LogRecord()
        try await withMint(log: log) { sink, mint in
            try await sink.applyUntilTaken(changes([("k", "v")]))
            mint.set(.unknown)
            mint.server.command("CLIENT KILL USER renewer")
            let error = try await sink.failure(containing: "WRONGPASS")
            #expect(error.kind == .denied)
            #expect(error.message.contains(Mint.advice), "\(error)")
            #expect(!error.message.contains(Mint.secret))
            mint.set(.good)
            try await wait(atMost: 300) {
                do throws(SinkError) {
                    try await sink.apply(changes([("k", "v")]))
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    @Test func `a probe logs in with a token, and waits for it no longer than for a connection`()
        async throws
    {
        try await withRedisServer(settings: users) { server in
            let mint = Mint(server)
            let address = try RedisAddress("unix://renewer@\(server.socketPath)")
            var configuration = RedisConfiguration(address: address)
            hurry(&configuration, mint)
            #expect(try await probeRedis(configuration).version?.hasPrefix("Redis ") == true)
            mint.set(.unknown)
            let denied = await #expect(throws: SinkError.self) {
                try await probeRedis(configuration)
            }
            #expect(denied?.kind == .denied && denied?.message.contains(Mint.advice) == true)
            mint.set(.failing)
            let failed = await #expect(throws: SinkError.self) {
                try await probeRedis(configuration)
            }
            #expect(failed?.message == "\(address): \(Mint.Mode.failing.words)")
            mint.set(.late)
            configuration.connectTimeout = .milliseconds(200)
            let late = await #expect(throws: SinkError.self) { try await probeRedis(configuration) }
            #expect(late?.kind == .unavailable)
            #expect(late?.message.contains(Mint.Mode.late.words) == true)
            try await wait(atMost: 300) { mint.abandoned > 0 }
        }
    }

    @Test func `a token shows itself nowhere`() {
        let token = TokenLogin.Token("the-secret", advice: "")
        var dumped = ""
        dump(token, to: &dumped)
        #expect(
            ![dumped, "\(token)", String(reflecting: token)].contains { $0.contains("secret") })
    }
}

/// Makes tokens for the user `renewer`: each is a password of that user before it is handed out.
final class Mint: Sendable {
    /// What becomes of a token that is asked for.
    enum Mode: Sendable {
        /// The server knows it.
        case good
        /// The server does not know it.
        case unknown
        /// It can't be made.
        case failing
        /// It is not made before nobody wants it any more.
        case late

        /// What is said about it.
        var words: String {
            switch self {
            case .good: ""
            case .unknown: Mint.advice
            case .failing: "there are no keys"
            case .late: "no token for the login was made within the time for connecting"
            }
        }
    }

    /// What all tokens begin with.
    static let secret = "secret-token"
    /// What is said about a token that is refused.
    static let advice = "it was made for a test"

    let server: RedisServer
    private let state = Mutex((made: 0, abandoned: 0, mode: Mode.good))

    init(_ server: RedisServer) { self.server = server }

    /// How many tokens were handed out.
    var made: Int { state.withLock { $0.made } }

    /// How many late tokens are no longer waited for.
    var abandoned: Int { state.withLock { $0.abandoned } }

    func set(_ mode: Mode) { state.withLock { $0.mode = mode } }

    /// Logins with these tokens.
    var login: TokenLogin {
        TokenLogin { [self] in
            let (number, mode) = state.withLock { state in
                state.made += 1
                return (state.made, state.mode)
            }
            let text = "\(Self.secret)-\(number)"
            switch mode {
            case .good:
                try? await onOwnThread { [server] in
                    // Tests kill connections, and this one may be among them.
                    var attempts = 1
                    while server.command("ACL SETUSER renewer >\(text)") != "+OK", attempts < 100 {
                        attempts += 1
                    }
                }
            case .unknown: break
            case .failing: return .failure(SinkError(.unavailable, mode.words))
            case .late:
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(1)) }
                state.withLock { $0.abandoned += 1 }
            }
            return .success(TokenLogin.Token(text, advice: Self.advice))
        }
    }
}
