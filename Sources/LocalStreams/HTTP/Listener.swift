// Opens Glibc: sockets and threads.

import AWS
import Glibc
import Synchronization

/// A port that cannot be listened on.
package struct ListenerError: Error, CustomStringConvertible {
    /// What failed, in the system's words, and what to do.
    package let description: String

    init(_ step: String, port: UInt16, code: Int32 = errno) {
        description =
            "LocalStreams cannot listen on 127.0.0.1:\(port): \(step): "
            + "\(String(cString: strerror(code))): give another port, or 0 for one that is free"
    }
}

/// Serves HTTP/1.1 on a loopback port, each connection on a thread of its own.
///
/// An answer goes out in one write on a socket without Nagle's delay: sent in two, head and body, it would
/// make a client on a kept connection wait 40 ms.
final class Listener: Sendable {
    /// The most connections at a time; more are closed as they come.
    static let connectionsMax = 4_096
    /// How long a connection may be idle, in seconds.
    private static let idleMax = 300
    /// Enough for the deepest JSON that is read.
    private static let stackSize = 1_048_576

    private struct State {
        var connections: Set<Int32> = []
        /// The threads that have not ended.
        var threads = 0
        var isStopping = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// The port that is listened on.
    let port: UInt16
    private let socket: Int32
    private let answer: @Sendable (HTTPRequest) -> Answer
    private let state = Mutex(State())

    /// Listens and answers until `stop()`.
    /// - Parameters:
    ///   - port: the port; 0 for one that is free.
    ///   - answer: makes the answers; is called from many threads.
    /// - Throws: `ListenerError`, such as for a port that is taken.
    init(
        port: UInt16, answer: @escaping @Sendable (HTTPRequest) -> Answer
    ) throws(ListenerError) {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw ListenerError("socket", port: port) }
        do {
            self.port = try Self.bind(socket, port)
        } catch {
            close(socket)
            throw error
        }
        self.answer = answer
        let code = startThread { [self] in acceptConnections() }
        guard code == 0 else {
            close(socket)
            throw ListenerError("pthread_create", port: port, code: code)
        }
    }

    /// Stops listening, cuts all connections, and returns when the last thread has ended.
    func stop() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if !state.isStopping {
                    state.isStopping = true
                    shutdown(socket, Int32(SHUT_RDWR))
                    for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
                }
                if state.threads > 0 { state.waiting.append(continuation) }
                return state.threads == 0
            }
            if isDone { continuation.resume() }
        }
    }

    private static func bind(_ socket: Int32, _ port: UInt16) throws(ListenerError) -> UInt16 {
        set(socket, SOL_SOCKET, SO_REUSEADDR, Int32(1))
        // Inherited by the connections.
        set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.bind(socket, address, size) == 0 && listen(socket, SOMAXCONN) == 0
                    && getsockname(socket, address, &size) == 0
            }
        }
        guard bound else { throw ListenerError("bind", port: port) }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func set<Value: BitwiseCopyable>(
        _ socket: Int32, _ level: Int32, _ option: Int32, _ value: Value
    ) {
        var value = value
        setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Value>.size))
    }

    // MARK: Threads

    private func acceptConnections() {
        while true {
            let connection = accept(socket, nil, nil)
            guard connection >= 0 else {
                if state.withLock(\.isStopping) { break }
                // Out of descriptors, or a client that left again: the next try may do better.
                usleep(10_000)
                continue
            }
            let isWelcome = state.withLock { state in
                guard !state.isStopping, state.connections.count < Self.connectionsMax else {
                    return false
                }
                state.connections.insert(connection)
                return true
            }
            let isServed = isWelcome && startThread { [self] in serve(connection) } == 0
            if !isServed { end(connection) }
        }
        close(socket)
    }

    private func serve(_ connection: Int32) {
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        let idle = timeval(tv_sec: Self.idleMax, tv_usec: 0)
        Self.set(connection, SOL_SOCKET, SO_RCVTIMEO, idle)
        Self.set(connection, SOL_SOCKET, SO_SNDTIMEO, idle)
        var parser = RequestParser()
        var isOpen = true
        while isOpen {
            switch parser.next() {
            case .incomplete:
                let bytes = Self.receive(connection)
                isOpen = !bytes.isEmpty
                parser.append(bytes)
            case .awaitsContinue:
                isOpen = Answer.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), connection)
            case .request(let request, let keepsAlive):
                isOpen = answer(request).send(to: connection, keepsAlive: keepsAlive)
            case .refused(let status):
                let refusal = Answer(
                    response: HTTPResponse(status: status, headers: [:], body: []))
                isOpen = refusal.send(to: connection, keepsAlive: false)
            }
        }
        end(connection)
    }

    private func end(_ connection: Int32) {
        // Closed while nobody can cut it: its number may soon be that of another connection.
        state.withLock { state in
            state.connections.remove(connection)
            close(connection)
        }
    }

    /// Starts a thread of its own for `body`; 0, or why there can be none.
    private func startThread(_ body: @escaping @Sendable () -> Void) -> Int32 {
        state.withLock { $0.threads += 1 }
        let job = Unmanaged.passRetained(
            Job { [self] in
                body()
                endThread()
            })
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        pthread_attr_init(attributes)
        pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(attributes, Self.stackSize)
        defer {
            pthread_attr_destroy(attributes)
            attributes.deallocate()
        }
        var thread = pthread_t()
        let code = pthread_create(
            &thread, attributes,
            { job in
                if let job { Unmanaged<Job>.fromOpaque(job).takeRetainedValue().body() }
                return nil
            }, job.toOpaque())
        if code != 0 {
            job.release()
            endThread()
        }
        return code
    }

    private func endThread() {
        let waiting = state.withLock { state in
            state.threads -= 1
            guard state.isStopping, state.threads == 0 else {
                return [CheckedContinuation<Void, Never>]()
            }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// What a thread does, in a form that a C pointer can hold.
    private final class Job: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    // MARK: Bytes

    /// The bytes that have come, waiting for some; empty when the connection is over.
    private static func receive(_ connection: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
            var received: Int
            repeat {
                received = recv(connection, buffer.baseAddress, buffer.count, 0)
            } while received < 0 && errno == EINTR
            count = max(received, 0)
        }
    }
}
