import COpenSSL
import Glibc
import Walk

/// TLS over a wire that never blocks; opens COpenSSL, and the operating system's numbers for waiting.
///
/// OpenSSL gets its bytes by two functions that are ours, since its own would raise SIGPIPE. It is used by one thread.
final class TLSStream {
    /// What to wait for before bytes can be received, as `poll` has it.
    private(set) var receiving = Int16(POLLIN)
    /// What to wait for before bytes can be sent, as `poll` has it.
    private(set) var sending = Int16(POLLOUT)
    private let wire: Wire
    private let context: TLSContext
    private let peer: String
    private let name: String
    private let ssl: OpaquePointer
    /// What the wire said last when it moved nothing and will not.
    private var end = Wire.Step.ended
    private var refusal: CertificateRefusal?
    /// Whether the server has asked for a certificate.
    private var isAsked = false
    /// Whether OpenSSL must not be asked for an orderly end.
    private var isBroken = false

    /// A stream to a server whose certificate must be for `name`, a host's name or its address.
    ///
    /// - Throws: `unavailable` where OpenSSL takes no such name.
    init(
        over wire: Wire, to peer: String, _ context: TLSContext, name: String
    ) throws(SinkError) {
        guard let ssl = SSL_new(context.pointer), let method = Self.method,
            let pipe = BIO_new(method)
        else { throw SinkError(.unavailable, "OpenSSL gives no connection: out of memory") }
        self.wire = wire
        self.context = context
        self.peer = peer
        self.ssl = ssl
        // A zone is this machine's business, and the dot at a name's end the resolver's.
        let plain = name.contains(":") ? name.prefix { $0 != "%" } : name[...]
        self.name = String(plain.hasSuffix(".") ? plain.dropLast() : plain)
        let this = Unmanaged.passUnretained(self).toOpaque()
        BIO_set_data(pipe, this)
        BIO_set_init(pipe, 1)
        SSL_set_bio(ssl, pipe, pipe)
        SSL_set_ex_data(ssl, 0, this)
        SSL_set_cert_cb(
            ssl,
            { _, this in
                if let this { TLSStream.at(this).isAsked = true }
                return 1
            }, this)
        guard demandName() else {
            throw SinkError(.unavailable, "\(self.name) is no name that a certificate can be for")
        }
    }

    deinit {
        // One attempt to say goodbye: nobody waits for the answer.
        if !isBroken, SSL_in_init(ssl) == 0 { SSL_shutdown(ssl) }
        SSL_free(ssl)
        ERR_clear_error()
    }

    /// The version that was agreed on, such as `TLSv1.3`.
    var version: String { String(cString: SSL_get_version(ssl)) }

    /// Whether there are bytes that were deciphered and not yet taken.
    var hasBytes: Bool { SSL_pending(ssl) > 0 }

    /// What to ask oneself when the server says nothing: since TLS 1.3 it looks at our certificate when we are done.
    var suspicion: String? {
        isAsked && !context.hasCertificate
            ? "it asked for a client certificate: \(Self.ownAdvice)" : nil
    }

    /// Agrees with the server on keys, and looks at its certificate.
    ///
    /// - Throws: `denied` where one side does not accept the other's certificate, `unavailable` where the other side
    ///   speaks no TLS, or none that is safe, or time runs out.
    func shakeHands(until deadline: ContinuousClock.Instant) throws(SinkError) {
        while true {
            ERR_clear_error()
            let result = SSL_connect(ssl)
            if result == 1 { return }
            var events = Int16(POLLIN)
            switch step(result, waitingFor: &events) {
            case .blocked, .moved: break
            case .ended: throw failure("it was closed by the other side", hinting: true)
            case .failed(let error):
                // A reset may be how a server without TLS reacts; an alert and a refusal speak for themselves.
                throw failure(error.message, error.kind, hinting: wire.firstByte == nil)
            }
            // A trickle of bytes must not go on for ever.
            guard .now < deadline, Waker.poll([(wire.descriptor, events)], until: deadline) else {
                isBroken = true
                throw failure("no answer in time", hinting: true)
            }
        }
    }

    /// Enciphers bytes and hands them to the system, one record at a time.
    func send(_ bytes: UnsafeRawBufferPointer) -> Wire.Step {
        var count = 0
        ERR_clear_error()
        let result = SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &count)
        sending = Int16(POLLOUT)
        return result == 1 ? .moved(count) : step(result, waitingFor: &sending)
    }

    /// Takes bytes that have come, and deciphers them, one record at a time.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Wire.Step {
        var count = 0
        ERR_clear_error()
        let result = SSL_read_ex(ssl, buffer.baseAddress, buffer.count, &count)
        receiving = Int16(POLLIN)
        return result == 1 ? .moved(count) : step(result, waitingFor: &receiving)
    }

    /// Ends the stream without a goodbye.
    func abandon() { isBroken = true }

    // MARK: Names

    /// Asks for a certificate for the name; false where the name cannot be one.
    private func demandName() -> Bool {
        // OpenSSL takes no name for any name, and one that begins with a dot for all that end so.
        guard !name.isEmpty, !name.hasPrefix(".") else { return false }
        let parameters = SSL_get0_param(ssl)
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        if context.isVerifying {
            SSL_set_verify(ssl, SSL_VERIFY_PEER) { isAccepted, state in
                if isAccepted == 0 { TLSStream.note(state) }
                return isAccepted
            }
        }
        if isAddress { return X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 }
        return name.withCString { host in
            X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1
                && SSL_ctrl(
                    ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name),
                    UnsafeMutableRawPointer(mutating: host)) == 1
        }
    }

    /// Whether the name is an address, which certificates hold in another place.
    private var isAddress: Bool {
        var room = in6_addr()
        return inet_pton(AF_INET, name, &room) == 1 || inet_pton(AF_INET6, name, &room) == 1
    }

    /// Keeps why the certificate at hand is not accepted; the first reason is the one that is told.
    private static func note(_ state: OpaquePointer?) {
        let index = SSL_get_ex_data_X509_STORE_CTX_idx()
        guard let state, let raw = X509_STORE_CTX_get_ex_data(state, index),
            let this = SSL_get_ex_data(OpaquePointer(raw), 0)
        else { return }
        let stream = at(this)
        stream.refusal = stream.refusal ?? CertificateRefusal(state, of: stream.name)
    }

    // MARK: Outcomes

    private static let ownAdvice = "set redis.tls.certificateFile and redis.tls.keyFile"

    /// What a call that moved no bytes means.
    private func step(_ result: Int32, waitingFor events: inout Int16) -> Wire.Step {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ:
            events = Int16(POLLIN)
            return .blocked
        case SSL_ERROR_WANT_WRITE:
            events = Int16(POLLOUT)
            return .blocked
        case SSL_ERROR_ZERO_RETURN: return .ended
        case SSL_ERROR_SYSCALL:
            isBroken = true
            return end
        default:
            isBroken = true
            return .failed(reason())
        }
    }

    /// What OpenSSL complains about.
    private func reason() -> SinkError {
        let (code, words) = TLSContext.error()
        if let refusal { return SinkError(.denied, refusal.message) }
        switch wire.firstByte {
        // Source: RFC 8446, 5.1: a record that is an alert or a handshake message, or (later) data.
        case 0x14, 0x15, 0x16, 0x17, nil: break
        case UInt8(ascii: "H"): return SinkError(.unavailable, "an HTTP server answers there")
        default:
            return SinkError(
                .unavailable,
                "no TLS is spoken there: does the port speak plain Redis? use redis://")
        }
        switch code {
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return SinkError(
                .unavailable,
                "the server offers no TLS 1.2 or later (\(words)): allow it there (tls-protocols)")
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE where isAsked,
            SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
            SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_TLSV1_ALERT_ACCESS_DENIED:
            let advice =
                context.hasCertificate
                ? "it has to trust the one in redis.tls.certificateFile" : Self.ownAdvice
            return SinkError(
                .denied, "the server wants another client certificate (\(words)): \(advice)")
        default:
            return SinkError(.unavailable, "TLS failed: \(words)")
        }
    }

    private func failure(
        _ words: String, _ kind: SinkError.Kind = .unavailable, hinting: Bool
    ) -> SinkError {
        let hint = hinting ? " (does the port speak plain Redis? use redis://)" : ""
        return SinkError(kind, "no TLS connection to \(peer): \(words)\(hint)")
    }

    // MARK: OpenSSL's way to the wire

    private static func at(_ this: UnsafeMutableRawPointer) -> TLSStream {
        Unmanaged<TLSStream>.fromOpaque(this).takeUnretainedValue()
    }

    /// Sends and receives over the wire of the stream that is a pipe's data.
    ///
    /// Every pipe points to it, so it is never freed.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        let number = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = BIO_meth_new(number, "wire") else { return nil }
        BIO_meth_set_write(method) { pipe, bytes, count in
            TLSStream.move(pipe, waiting: BIO_FLAGS_WRITE) { wire in
                wire.send(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
            }
        }
        BIO_meth_set_read(method) { pipe, bytes, count in
            TLSStream.move(pipe, waiting: BIO_FLAGS_READ) { wire in
                wire.receive(into: UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)))
            }
        }
        // Nothing is held back, so there is nothing to flush; whatever else is asked for does not exist here.
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()

    private static func move(
        _ pipe: OpaquePointer?, waiting flag: Int32, _ body: (Wire) -> Wire.Step
    ) -> Int32 {
        guard let this = BIO_get_data(pipe) else { return -1 }
        let stream = at(this)
        BIO_clear_flags(pipe, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
        let step = body(stream.wire)
        switch step {
        case .moved(let count): return Int32(count)
        case .blocked:
            BIO_set_flags(pipe, flag | BIO_FLAGS_SHOULD_RETRY)
            return -1
        case .ended, .failed:
            stream.end = step
            return -1
        }
    }
}
