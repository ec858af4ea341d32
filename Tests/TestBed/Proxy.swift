// Opens Glibc: sockets and threads.

import Foundation
import Glibc
import Synchronization

/// A way to a server on loopback that can be closed and opened again while both ends live on.
///
/// Each connection has two threads that do nothing but carry bytes.
package final class Proxy: Sendable {
    /// What becomes of bytes and of new connections.
    package enum Way: Sendable, Equatable {
        /// They come through.
        case open
        /// Connections stay, and are made, but nothing comes through any more.
        case silent
        /// Connections are cut, and new ones are cut at once.
        case closed
        /// Everything comes so many milliseconds late.
        case slow(Int)
        /// Everything comes a few bytes at a time.
        case trickling
        /// A connection is reset when so many bytes have come through it in one direction.
        case cutting(Int)
    }

    /// Whether a connection has been cut.
    private final class Flag: Sendable {
        let isSet = Mutex(false)
    }

    private struct State {
        var way = Way.open
        var target: Int
        var isEnding = false
        /// The two ends of each connection.
        var ends: [Int32: Int32] = [:]
        var seen = 0
    }

    /// The port to connect to.
    package let port: Int
    private let socket: Int32
    private let watched: [UInt8]
    private let state: Mutex<State>

    /// Opens a way to a port of 127.0.0.1.
    ///
    /// - Parameters:
    ///   - target: the server's port.
    ///   - watched: a word whose passing towards the server is counted.
    /// - Throws: `TestBedError` where no port can be had.
    package init(to target: Int, counting watched: String = "GetRecords") throws {
        state = Mutex(State(target: target))
        self.watched = Array(watched.utf8)
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.socket = socket
        guard socket >= 0, Self.call(bind, socket, port: 0), listen(socket, SOMAXCONN) == 0 else {
            throw TestBedError("no proxy: \(String(cString: strerror(errno)))")
        }
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(socket, $0, &size)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread { [self] in accept() }.start()
    }

    /// How often the word that is watched has passed.
    package var count: Int { state.withLock(\.seen) }

    /// Opens or closes the way.
    package func make(_ way: Way) {
        state.withLock { state in
            state.way = way
            if way == .closed { Self.cut(&state) }
        }
    }

    /// Lets new connections lead to another port; those that are there stay where they are.
    package func lead(to target: Int) { state.withLock { $0.target = target } }

    /// Closes the way for good.
    package func end() {
        state.withLock { state in
            state.isEnding = true
            Self.cut(&state)
        }
        shutdown(socket, Int32(SHUT_RDWR))
    }

    private static func cut(_ state: inout State) {
        // The threads close the descriptors when they find the connections at their ends.
        for (client, server) in state.ends {
            shutdown(client, Int32(SHUT_RDWR))
            shutdown(server, Int32(SHUT_RDWR))
        }
    }

    // MARK: Threads

    private func accept() {
        while true {
            let client = Glibc.accept(socket, nil, nil)
            if state.withLock(\.isEnding) { break }
            guard client >= 0 else { continue }
            let server = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let isOpen = state.withLock { $0.way != .closed }
            guard isOpen, server >= 0, Self.call(connect, server, port: state.withLock(\.target))
            else {
                close(client)
                if server >= 0 { close(server) }
                continue
            }
            state.withLock { $0.ends[client] = server }
            let isCut = Flag()
            let group = DispatchGroup()
            for (source, sink, isRequest) in [(client, server, true), (server, client, false)] {
                group.enter()
                Thread { [self] in
                    carry(source, sink, isRequest: isRequest, isCut)
                    group.leave()
                }.start()
            }
            group.notify(queue: .global()) { [self] in
                state.withLock { _ = $0.ends.removeValue(forKey: client) }
                close(client)
                close(server)
            }
        }
        close(socket)
    }

    private func carry(_ source: Int32, _ sink: Int32, isRequest: Bool, _ isCut: Flag) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var tail: [UInt8] = []
        var total = 0
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            if isRequest { note(buffer[..<count], &tail) }
            total += count
            guard pass(buffer[..<count], from: source, to: sink, total: total, isCut) else { break }
        }
        // What is cut ends with a reset, when both descriptors are closed: an orderly end may not come before it.
        let direction = Int32(isCut.isSet.withLock { $0 } ? SHUT_RD : SHUT_RDWR)
        shutdown(source, direction)
        shutdown(sink, direction)
    }

    /// Passes bytes on as the way is at the moment; false when the connection is over.
    private func pass(
        _ bytes: ArraySlice<UInt8>, from source: Int32, to sink: Int32, total: Int, _ isCut: Flag
    ) -> Bool {
        // A silent way keeps what it got until it is opened or closed again; what was given up meanwhile never comes,
        // as on a network that comes back.
        while state.withLock({ $0.way == .silent && !$0.isEnding }) {
            if hasFailed(source) { return false }
            usleep(2_000)
        }
        switch state.withLock(\.way) {
        case .open, .silent, .closed: break
        case .slow(let milliseconds): usleep(UInt32(milliseconds) * 1_000)
        case .trickling:
            var rest = bytes
            while !rest.isEmpty, state.withLock({ $0.way == .trickling && !$0.isEnding }) {
                guard write(rest.prefix(7), to: sink) else { return false }
                rest = rest.dropFirst(7)
                usleep(500)
            }
            return rest.isEmpty || write(rest, to: sink)
        case .cutting(let limit) where total > limit:
            _ = write(bytes.prefix(max(0, limit - total + bytes.count)), to: sink)
            isCut.isSet.withLock { $0 = true }
            var setting = linger(l_onoff: 1, l_linger: 0)
            for end in [source, sink] {
                setsockopt(
                    end, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
            }
            return false
        case .cutting: break
        }
        return write(bytes, to: sink)
    }

    private func write(_ bytes: ArraySlice<UInt8>, to sink: Int32) -> Bool {
        bytes.withUnsafeBytes { send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            == bytes.count
    }

    /// Whether the other end of a connection has given it up.
    private func hasFailed(_ end: Int32) -> Bool {
        // POLLRDHUP, which is behind a feature macro: the other end sends nothing more.
        let isClosed: Int32 = 0x2000
        var event = pollfd(fd: end, events: Int16(isClosed), revents: 0)
        return poll(&event, 1, 0) > 0
            && event.revents & Int16(isClosed | POLLERR | POLLHUP) != 0
    }

    /// Counts the watched word in what has come, also where it came in two pieces.
    private func note(_ bytes: ArraySlice<UInt8>, _ tail: inout [UInt8]) {
        let text = tail + bytes
        var hits = 0
        var place = 0
        while place + watched.count <= text.count {
            let isHit = text[place..<place + watched.count].elementsEqual(watched)
            hits += isHit ? 1 : 0
            place += isHit ? watched.count : 1
        }
        tail = Array(text[place...].suffix(watched.count - 1))
        if hits > 0 { state.withLock { $0.seen += hits } }
    }

    /// Calls bind or connect with a port of 127.0.0.1.
    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32, _ socket: Int32, port: Int
    ) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
