import Glibc
import Walk

/// One connected stream of bytes that never blocks, opens the operating system's sockets.
///
/// What lies above it asks for single steps and waits in one place, so that bytes can be made to pass
/// through TLS here without a change elsewhere.
final class Socket {
    /// What became of one attempt to move bytes.
    enum Step {
        /// So many bytes were moved, at least one.
        case moved(Int)
        /// None for now: wait.
        case blocked
        /// The other side has ended the connection.
        case ended
        /// The connection is broken, for the reason in `errno`'s numbers.
        case failed(Int32)
    }

    /// Who is at the other end, as an address or a path.
    let peer: String
    private let descriptor: Int32

    private init(descriptor: Int32, peer: String) {
        self.descriptor = descriptor
        self.peer = peer
    }

    deinit { close(descriptor) }

    /// Connects, looking up the name anew and trying each of its addresses in turn.
    ///
    /// The lookup itself is bounded by the resolver's own limits (resolv.conf), not by `deadline`.
    ///
    /// - Throws: `unavailable` where nobody answers; `denied` where a socket's permissions forbid it.
    static func connect(
        to place: RedisAddress.Place, until deadline: ContinuousClock.Instant
    ) throws(SinkError) -> Socket {
        let candidates = try Candidate.all(at: place)
        var reasons: [String] = []
        var isForbidden = false
        for (index, candidate) in candidates.enumerated() {
            // One address that swallows packets must not use up the time of the others.
            let share = (deadline - .now) / (candidates.count - index)
            let error = candidate.connect(until: .now + share)
            switch error {
            case .success(let descriptor):
                return Socket(descriptor: descriptor, peer: candidate.label)
            case .failure(let failure):
                isForbidden = failure.number == EACCES
                reasons.append("\(candidate.label): \(text(ofError: failure.number))")
            }
        }
        let shown = reasons.prefix(4).joined(separator: ", ")
        throw SinkError(isForbidden ? .denied : .unavailable, "cannot connect to \(shown)")
    }

    /// Hands bytes to the system (`send`).
    func send(_ bytes: UnsafeRawBufferPointer) -> Step {
        step(Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
    }

    /// Takes bytes that have come (`recv`).
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Step {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        return count == 0 ? .ended : step(count)
    }

    private func step(_ count: Int) -> Step {
        if count >= 0 { return .moved(count) }
        return errno == EAGAIN || errno == EINTR ? .blocked : .failed(errno)
    }

    /// Waits until bytes can be received, or sent if `sending`, or `waker` is woken; false if it took too
    /// long.
    func wait(
        sending: Bool, orWoken waker: Waker? = nil, until deadline: ContinuousClock.Instant
    ) -> Bool {
        let interest = Int16(sending ? POLLIN | POLLOUT : POLLIN)
        return Waker.poll([(descriptor, interest)] + (waker?.interest ?? []), until: deadline)
    }

    /// Makes the end of the connection take what was not yet sent with it (`SO_LINGER` of 0 s).
    ///
    /// Commands that were given up must not reach the server later, after newer ones over another
    /// connection.
    func dropUnsentBytes() {
        var setting = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
    }

    /// The system's words for an error number (`strerror`).
    static func text(ofError number: Int32) -> String {
        number == ETIMEDOUT ? "no answer in time" : String(cString: strerror(number))
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
