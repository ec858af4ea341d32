import Walk

/// One logged-in connection, from connecting to its end: used by one thread, blocks that thread.
///
/// After any error that it throws it is of no more use.
final class Session {
    /// Who is at the other end, as an address or a path.
    var peer: String { socket.peer }
    /// The version of TLS, such as `TLSv1.3`; nil without TLS.
    var tlsVersion: String? { socket.version }
    /// What the server said about itself at the login.
    private(set) var server = ServerInfo(info: "")
    /// How the server knows this connection, by its own name and the connection's number; nil where it does not say.
    ///
    /// Both together are never given twice.
    private(set) var identity: String?
    private let socket: Socket
    private let reader = ReplyReader()
    private var received = [UInt8](repeating: 0, count: 64 << 10)
    /// Whether nothing has come from the server yet.
    private var isSilent = true

    /// Connects to where `finder` says and logs in: AUTH, the connection's name, the database, and a look at the
    /// server's role.
    ///
    /// - Throws: `unavailable` where the server is away or a read-only replica, `denied` where it does not
    ///   let us in, or not into this database.
    init(_ configuration: RedisConfiguration, _ finder: PrimaryFinder) throws(SinkError) {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        do throws(SinkError) {
            let place = try finder.place(until: deadline)
            do throws(SinkError) {
                socket = try Self.connect(configuration, to: place, until: deadline)
                try logIn(configuration, until: deadline)
            } catch {
                finder.doubt()
                throw error
            }
        } catch {
            throw SinkError(error.kind, "\(configuration.address): \(error.message)")
        }
    }

    /// Connects to a sentinel and logs in there.
    ///
    /// - Throws: `unavailable` where it is away, `denied` where it does not let us in.
    init(
        at sentinel: RedisAddress.Node, _ configuration: RedisConfiguration,
        until deadline: ContinuousClock.Instant
    ) throws(SinkError) {
        let place = RedisAddress.Place.tcp(host: sentinel.host, port: sentinel.port)
        socket = try Self.connect(configuration, to: place, until: deadline)
        try authenticate(
            configuration.sentinelUser, configuration.sentinelPassword, until: deadline)
    }

    private static func connect(
        _ configuration: RedisConfiguration, to place: RedisAddress.Place,
        until deadline: ContinuousClock.Instant
    ) throws(SinkError) -> Socket {
        let tls = configuration.address.isSecure ? configuration.tls : nil
        return try Socket.connect(to: place, tls: tls, until: deadline)
    }

    /// Whether the server has said that it takes writes.
    var isKnownToTakeWrites: Bool { server.role != nil && !server.isReadOnlyReplica }

    private func logIn(
        _ configuration: RedisConfiguration, until deadline: ContinuousClock.Instant
    ) throws(SinkError) {
        let address = configuration.address
        if let login = configuration.tokenLogin {
            let token = try TokenRequest(login, until: deadline).wait().get()
            try demand(
                Self.login(address.user, token.text), until: deadline, loginAdvice: token.advice)
        } else {
            try authenticate(address.user, configuration.password, until: deadline)
        }
        if case .sentinels(_, let master) = address.place {
            try demandPrimary(master, until: deadline)
        }
        // The name is a courtesy to whoever looks at CLIENT LIST; some users may not set it.
        _ = try reply(to: ["CLIENT", "SETNAME", configuration.clientName], until: deadline)
        if address.database != 0 {
            try demand(["SELECT", String(address.database)], until: deadline)
        }
        server = ServerInfo(info: try reply(to: ["INFO"], until: deadline).text ?? "")
        if let run = server.runID,
            case .integer(let number) = try reply(to: ["CLIENT", "ID"], until: deadline)
        {
            identity = "\(run) \(number)"
        }
        if server.isInCluster { throw SinkError(.denied, ReplyError.clusterAdvice) }
        if server.isReadOnlyReplica {
            throw SinkError(
                .unavailable, "it is a read-only replica; the primary is looked up again")
        }
    }

    private static func login(_ user: String?, _ password: String) -> [String] {
        ["AUTH"] + (user.map { [$0] } ?? []) + [password]
    }

    /// Logs in once more, and returns the refusal if it is refused (AUTH): the connection is as it was then.
    ///
    /// To be called between transactions: AUTH is queued within one, and ElastiCache refuses it there.
    ///
    /// - Throws: `unavailable` where no reply comes in time.
    func logIn(
        _ user: String?, with token: TokenLogin.Token, within limit: Duration
    ) throws(SinkError) -> SinkError? {
        var refusal: ReplyError?
        try exchange(CommandBuffer([Self.login(user, token.text)]), within: limit) {
            reply throws(SinkError) in
            if case .error(let error) = reply { refusal = error }
        }
        return refusal?.sinkError(for: "AUTH", loginAdvice: token.advice)
    }

    private func authenticate(
        _ user: String?, _ source: () throws -> String?, until deadline: ContinuousClock.Instant
    ) throws(SinkError) {
        let password: String?
        do {
            password = try source()
        } catch {
            throw SinkError(.denied, "the password cannot be read: \(error)")
        }
        if password != nil || user != nil {
            try demand(Self.login(user, password ?? ""), until: deadline)
        }
    }

    /// Makes sure that the server which sentinels take for the primary is one (ROLE).
    ///
    /// A sentinel that was cut off for a while, or asked in the middle of a failover, can name a replica.
    private func demandPrimary(
        _ master: String, until deadline: ContinuousClock.Instant
    ) throws(SinkError) {
        switch try reply(to: ["ROLE"], until: deadline) {
        case .array(let parts) where parts.first?.text == "master": return
        case .error(let error) where error.verdict.kind == .denied:
            throw SinkError(
                .denied,
                "Redis refused ROLE (\(error)): behind sentinels the user needs it (ACL SETUSER +role)"
            )
        case .error(let error): throw error.sinkError(for: "ROLE")
        default:
            throw SinkError(
                .unavailable,
                "\(peer) is not the primary although a sentinel says so of \(master); they are asked again"
            )
        }
    }

    /// Asks a sentinel where the primary of a name is; nil where it knows no such name.
    ///
    /// - Throws: `unavailable` where no place is the answer, `denied` where the sentinel does not tell us.
    func primary(
        named master: String, until deadline: ContinuousClock.Instant
    ) throws(SinkError) -> RedisAddress.Place? {
        let command = ["SENTINEL", "get-master-addr-by-name", master]
        switch try anyReply(to: command, until: deadline) {
        case .null: return nil
        case .array(let parts):
            if parts.count == 2, let host = parts[0].text, !host.isEmpty,
                let port = parts[1].text.flatMap({ UInt16($0) }), port > 0
            {
                return .tcp(host: host, port: port)
            }
        case .error(let error) where error.verdict.kind == .denied:
            throw SinkError(
                .denied,
                "it refused SENTINEL (\(error)): see redis.sentinel.passwordFile and username")
        case .error(let error): throw SinkError(.unavailable, "it refused SENTINEL (\(error))")
        case .status, .integer, .bytes: break
        }
        throw SinkError(.unavailable, "its answer is not that of a sentinel")
    }

    /// Sends a command of the login; a refusal of it is something that someone has to mend.
    private func demand(
        _ command: [String], until deadline: ContinuousClock.Instant, loginAdvice: String? = nil
    ) throws(SinkError) {
        guard
            case .error(let error) = try reply(
                to: command, until: deadline, loginAdvice: loginAdvice)
        else { return }
        // Source: Redis before and since 6: a password was given and the server wants none.
        if error.text.contains("no password is set")
            || error.text.contains("without any password configured")
        {
            return
        }
        let failure = error.sinkError(for: command[0])
        throw failure.kind == .refused ? SinkError(.denied, failure.message) : failure
    }

    /// Sends a command of the login; throws a refusal that ends the connection, returns any other.
    private func reply(
        to command: [String], until deadline: ContinuousClock.Instant, loginAdvice: String? = nil
    ) throws(SinkError) -> Reply {
        let reply = try anyReply(to: command, until: deadline)
        if case .error(let error) = reply, error.verdict.endsConnection {
            throw error.sinkError(for: command[0], loginAdvice: loginAdvice)
        }
        return reply
    }

    /// Sends a command before anything else is under way, and returns its reply, whatever it is.
    private func anyReply(
        to command: [String], until deadline: ContinuousClock.Instant
    ) throws(SinkError) -> Reply {
        var reply = Reply.null
        do {
            try exchange(CommandBuffer([command]), within: deadline - .now) { reply = $0 }
        } catch {
            // Refused clients are told why and hung up on at once.
            guard case .error = reply else {
                let hint = socket.suspicion ?? "is it a Redis server?"
                if deadline <= .now {
                    throw SinkError(.unavailable, "no answer to the login in time: \(hint)")
                }
                guard isSilent, error.kind == .unavailable else { throw error }
                throw SinkError(.unavailable, "\(error.message) (\(hint))")
            }
        }
        return reply
    }

    /// Sends commands and hands over their replies in order, one call of `take` for each.
    ///
    /// Replies are taken while commands are still being sent, so that neither side waits for the other with
    /// full buffers. `limit` is the time without progress: without a byte taken or a reply complete.
    ///
    /// - Throws: `unavailable` where the connection breaks or time runs out; the commands whose replies were
    ///   not handed over may have been executed or not. What `take` throws ends the exchange as well.
    func exchange(
        _ commands: CommandBuffer, within limit: Duration, _ take: (Reply) throws(SinkError) -> Void
    ) throws(SinkError) {
        var sent = 0
        var awaited = commands.count
        var deadline = ContinuousClock.now + limit
        while awaited > 0 {
            let sentNow = send(commands.bytes, from: sent)
            sent += sentNow
            let receivedNow = try receive()
            var replies = 0
            while replies < awaited, let reply = try reader.next() {
                try take(reply)
                replies += 1
            }
            awaited -= replies
            if sentNow > 0 || replies > 0 { deadline = .now + limit }
            if awaited == 0 || sentNow > 0 { continue }
            // Bytes that do not complete a reply are no progress, or a trickle of them would never end.
            let isWaiting =
                receivedNow > 0
                ? ContinuousClock.now < deadline
                : socket.wait(sending: sent < commands.bytes.count, until: deadline)
            guard isWaiting else {
                throw SinkError(
                    .unavailable,
                    "no reply from \(peer) within \(limit) (\(awaited) commands are not answered)")
            }
        }
        let surplus = try reader.next()
        guard sent == commands.bytes.count, surplus == nil else {
            throw SinkError(.unavailable, "the server sent more replies than there were commands")
        }
    }

    /// Asks whether the server answers, and returns its refusal if it refuses (PING).
    ///
    /// - Throws: `unavailable` where no reply comes in time.
    func ping(within limit: Duration) throws(SinkError) -> ReplyError? {
        var refusal: ReplyError?
        try exchange(CommandBuffer([["PING"]]), within: limit) { reply throws(SinkError) in
            if case .error(let error) = reply { refusal = error }
        }
        return refusal
    }

    /// Waits for something to happen while no reply is expected; false if nothing did.
    ///
    /// - Throws: `unavailable` where the connection has ended meanwhile.
    func rest(orWoken waker: Waker, until deadline: ContinuousClock.Instant) throws(SinkError)
        -> Bool
    {
        let happened = socket.wait(sending: false, orWoken: waker, until: deadline)
        guard try receive() == 0 else {
            throw SinkError(.unavailable, "the server sent a reply that nobody asked for")
        }
        return happened
    }

    /// Makes the end of the connection take with it what was not yet sent.
    func giveUp() { socket.dropUnsentBytes() }

    /// Hands over as many bytes as the system takes, and returns their number.
    ///
    /// A connection that takes no more bytes takes them all in vain: what it still holds may say why, as
    /// that of a server with too many clients does, and after that `receive` finds its end.
    private func send(_ bytes: [UInt8], from start: Int) -> Int {
        guard start < bytes.count else { return 0 }
        let step = bytes.withUnsafeBytes { bytes in
            socket.send(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
        switch step {
        case .moved(let count): return count
        case .blocked: return 0
        case .ended, .failed: return bytes.count - start
        }
    }

    /// Takes what has come, and returns the number of bytes.
    private func receive() throws(SinkError) -> Int {
        switch received.withUnsafeMutableBytes({ socket.receive(into: $0) }) {
        case .moved(let count):
            isSilent = false
            let result = received.withUnsafeBytes { bytes in
                Result { () throws(SinkError) in
                    try reader.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                }
            }
            try result.get()
            return count
        case .blocked: return 0
        case .ended:
            throw SinkError(.unavailable, "the connection to \(peer) was closed by the other side")
        case .failed(let error):
            throw SinkError(error.kind, "the connection to \(peer) broke: \(error.message)")
        }
    }
}
