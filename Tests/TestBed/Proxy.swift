// Opens Glibc: sockets and threads.

import Foundation
import Glibc
import Synchronization

/// A way to a server on loopback that can be closed and opened again while both ends live on.
///
/// Each connection has two threads that do nothing but carry bytes.
package final class Proxy: Sendable {
    /// What becomes of bytes and of new connections.
    package enum Way: Sendable {
        /// They come through.
        case open
        /// Connections stay, and are made, but nothing comes through any more.
        case silent
        /// Connections are cut, and new ones are cut at once.
        case closed
    }

    private struct State {
        var way = Way.open
        var isEnding = false
        /// The two ends of each connection.
        var ends: [Int32: Int32] = [:]
        var seen = 0
    }

    /// The port to connect to.
    package let port: Int
    private let socket: Int32
    private let target: Int
    private let watched: [UInt8]
    private let state = Mutex(State())

    /// Opens a way to a port of 127.0.0.1.
    ///
    /// - Parameters:
    ///   - target: the server's port.
    ///   - watched: a word whose passing towards the server is counted.
    /// - Throws: `TestBedError` where no port can be had.
    package init(to target: Int, counting watched: String = "GetRecords") throws {
        self.target = target
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
            guard isOpen, server >= 0, Self.call(connect, server, port: target) else {
                close(client)
                if server >= 0 { close(server) }
                continue
            }
            state.withLock { $0.ends[client] = server }
            let group = DispatchGroup()
            for (source, sink, isRequest) in [(client, server, true), (server, client, false)] {
                group.enter()
                Thread { [self] in
                    carry(source, sink, isRequest: isRequest)
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

    private func carry(_ source: Int32, _ sink: Int32, isRequest: Bool) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var tail: [UInt8] = []
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            if isRequest { note(buffer[..<count], &tail) }
            // A silent way keeps what it got until it is opened or closed again.
            while state.withLock({ $0.way == .silent && !$0.isEnding }) { usleep(2_000) }
            guard send(sink, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(sink, Int32(SHUT_RDWR))
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
