import Glibc
import Walk

/// One connected stream of bytes that never blocks, through TLS where the address says so.
///
/// What lies above it asks for single steps and waits in one place, and sees no difference between the two.
/// Opens the operating system's sockets.
final class Socket {
    /// Who is at the other end, as an address or a path.
    let peer: String
    /// What to ask oneself when the other side says nothing, or nothing before it hangs up; nil for no idea.
    var suspicion: String? {
        guard let tls else { return isRemote ? "does the port speak TLS? use rediss://" : nil }
        return tls.suspicion
    }
    /// The version of TLS, such as `TLSv1.3`; nil without TLS.
    var version: String? { tls?.version }
    private let wire: Wire
    private let isRemote: Bool
    private let tls: TLSStream?

    private init(_ wire: Wire, _ tls: TLSStream?, peer: String, isRemote: Bool) {
        self.wire = wire
        self.tls = tls
        self.peer = peer
        self.isRemote = isRemote
    }

    /// Connects, looking up the name anew and trying each of its addresses in turn; then makes sure of who answers.
    ///
    /// The lookup itself is bounded by the resolver's own limits (resolv.conf), not by `deadline`. `tls` is nil for a
    /// connection without it.
    ///
    /// - Throws: `unavailable` where nobody answers, or not in TLS; `denied` where a socket's permissions forbid it, a
    ///   file of `tls` cannot be used, or one side does not accept the other's certificate.
    static func connect(
        to place: RedisAddress.Place, tls: RedisTLS?, until deadline: ContinuousClock.Instant
    ) throws(SinkError) -> Socket {
        guard case .tcp(let host, _) = place else {
            let (wire, peer) = try open(place, until: deadline)
            return Socket(wire, nil, peer: peer, isRemote: false)
        }
        // Files that cannot be used are told before anybody is called.
        let context = try tls.map { settings throws(SinkError) in try TLSContext(settings) }
        let (wire, peer) = try open(place, until: deadline)
        let stream = try context.map { context throws(SinkError) in
            try TLSStream(over: wire, to: peer, context, name: tls?.serverName ?? host)
        }
        try stream?.shakeHands(until: deadline)
        return Socket(wire, stream, peer: peer, isRemote: true)
    }

    private static func open(
        _ place: RedisAddress.Place, until deadline: ContinuousClock.Instant
    ) throws(SinkError) -> (Wire, peer: String) {
        let candidates = try Candidate.all(at: place)
        var reasons: [String] = []
        var isForbidden = false
        for (index, candidate) in candidates.enumerated() {
            // One address that swallows packets must not use up the time of the others.
            let share = (deadline - .now) / (candidates.count - index)
            let error = candidate.connect(until: .now + share)
            switch error {
            case .success(let descriptor):
                return (Wire(descriptor: descriptor), candidate.label)
            case .failure(let failure):
                isForbidden = failure.number == EACCES
                reasons.append("\(candidate.label): \(Wire.text(ofError: failure.number))")
            }
        }
        let shown = reasons.prefix(4).joined(separator: ", ")
        throw SinkError(isForbidden ? .denied : .unavailable, "cannot connect to \(shown)")
    }

    /// Hands over bytes to be sent.
    func send(_ bytes: UnsafeRawBufferPointer) -> Wire.Step {
        tls?.send(bytes) ?? wire.send(bytes)
    }

    /// Takes bytes that have come.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Wire.Step {
        tls?.receive(into: buffer) ?? wire.receive(into: buffer)
    }

    /// Waits until bytes can be received, or sent if `sending`, or `waker` is woken; false if it took too
    /// long.
    func wait(
        sending: Bool, orWoken waker: Waker? = nil, until deadline: ContinuousClock.Instant
    ) -> Bool {
        // Bytes that are deciphered already are not in the descriptor any more.
        if tls?.hasBytes == true { return true }
        let receiving = tls?.receiving ?? Int16(POLLIN)
        let interest = sending ? receiving | (tls?.sending ?? Int16(POLLOUT)) : receiving
        return Waker.poll([(wire.descriptor, interest)] + (waker?.interest ?? []), until: deadline)
    }

    /// Makes the end of the connection take what was not yet sent with it (`SO_LINGER` of 0 s).
    ///
    /// Commands that were given up must not reach the server later, after newer ones over another
    /// connection.
    func dropUnsentBytes() {
        tls?.abandon()
        var setting = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            wire.descriptor, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
    }
}

/// One address that a place has: what `connect` is called with.
private struct Candidate {
    /// A failed attempt, as `errno` gives it.
    struct Failure: Error {
        let number: Int32
    }

    let family: Int32
    let address: [UInt8]
    let label: String

    static func all(at place: RedisAddress.Place) throws(SinkError) -> [Candidate] {
        switch place {
        case .unix(let path): return [try socket(at: path)]
        case .tcp(let host, let port): return try addresses(of: host, port: port)
        case .sentinels: preconditionFailure("sentinels are asked where to connect to")
        }
    }

    private static func socket(at path: String) throws(SinkError) -> Candidate {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.utf8.count < room.count else { return false }
            room.copyBytes(from: path.utf8)
            return true
        }
        guard fits else {
            throw SinkError(
                .unavailable, "the path of the socket is longer than 107 bytes: \(path)")
        }
        return Candidate(
            family: AF_UNIX, address: withUnsafeBytes(of: &address) { [UInt8]($0) }, label: path)
    }

    private static func addresses(
        of host: String, port: UInt16
    ) throws(SinkError) -> [Candidate] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            throw SinkError(
                .unavailable,
                "cannot resolve the name \(host): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(list) }
        var candidates: [Candidate] = []
        var entry = list
        while let info = entry?.pointee {
            let bytes = UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen))
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            getnameinfo(
                info.ai_addr, info.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
            let number = name.withUnsafeBytes {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let label = number.contains(":") ? "[\(number)]:\(port)" : "\(number):\(port)"
            candidates.append(
                Candidate(family: info.ai_family, address: [UInt8](bytes), label: label))
            entry = info.ai_next
        }
        return candidates
    }

    /// A connected descriptor, with all its settings.
    func connect(until deadline: ContinuousClock.Instant) -> Result<Int32, Failure> {
        let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let descriptor = Glibc.socket(family, Int32(type), 0)
        guard descriptor >= 0 else { return .failure(Failure(number: errno)) }
        if family != AF_UNIX { Self.configure(descriptor) }
        let result = address.withUnsafeBytes { bytes in
            Glibc.connect(
                descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count))
        }
        var error = result == 0 ? 0 : errno
        if error == EINPROGRESS {
            if Waker.poll([(descriptor, Int16(POLLOUT))], until: deadline) {
                var size = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
            } else {
                error = ETIMEDOUT
            }
        }
        guard error == 0 else {
            close(descriptor)
            return .failure(Failure(number: error))
        }
        return .success(descriptor)
    }

    /// Small packets leave at once; a peer that is gone is found within about a minute while idle, and
    /// within 20 s while bytes wait to be taken.
    ///
    /// Address translators and balancers forget connections that are silent for 350 s.
    private static func configure(_ descriptor: Int32) {
        let settings: [(level: Int32, name: Int32, value: Int32)] = [
            (Int32(IPPROTO_TCP), TCP_NODELAY, 1),
            (SOL_SOCKET, SO_KEEPALIVE, 1),
            (Int32(IPPROTO_TCP), TCP_KEEPIDLE, 30),
            (Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10),
            (Int32(IPPROTO_TCP), TCP_KEEPCNT, 3),
            (Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 20_000),
        ]
        for var setting in settings {
            setsockopt(
                descriptor, setting.level, setting.name, &setting.value,
                socklen_t(MemoryLayout<Int32>.size))
        }
    }
}
