// Opens Glibc: a client that sees how its bytes come.

import Foundation
import Glibc
import LocalRedis
import TestBed
import Testing

// Goal: a way is as bad as it says, since a run of chaos on good ways shows nothing. Method: a client asks a real server for
// a value, through the proxy, and looks how the answer comes. Bounds are of the kind that a busy machine keeps as well.
@Suite struct ProxyTests {
    /// How large the value is.
    private static let size = 20_000
    /// The answer: the value between its length and the end of the line.
    private static let whole = "$\(size)\r\n".utf8.count + size + 2

    @Test(arguments: [Proxy.Way.open, .slow(200), .trickling, .cutting(1_000), .silent, .closed])
    func `a way is as bad as it says`(way: Proxy.Way) async throws {
        try await withRedisServer(tcp: true) { redis in
            let proxy = try Proxy(to: Int(try #require(redis.port)))
            defer { proxy.end() }
            _ = redis.command("SET value \(String(repeating: "x", count: Self.size))")
            let before = try Client(proxy.port)
            #expect(before.ask().bytes == Self.whole)

            proxy.make(way)
            let answer = before.ask()
            switch way {
            case .open:
                #expect(answer.bytes == Self.whole)
            case .slow(let milliseconds):
                #expect(answer.bytes == Self.whole)
                // Once towards the server, once back.
                #expect(answer.time >= .milliseconds(2 * milliseconds))
            case .trickling:
                #expect(answer.bytes == Self.whole)
                #expect(answer.pieces > 20)
            case .cutting(let limit):
                // The connection has carried more than that already.
                #expect(answer.bytes == 0 && answer.end == ECONNRESET)
                let after = try Client(proxy.port).ask()
                #expect(after.bytes == limit && after.end == ECONNRESET)
            case .silent:
                #expect(answer.bytes == 0 && answer.end == EAGAIN)
            case .closed:
                #expect(answer.bytes == 0 && answer.end != EAGAIN)
                #expect(try Client(proxy.port).ask().bytes == 0)
            }

            proxy.make(.open)
            #expect(try Client(proxy.port).ask().bytes == Self.whole)
        }
    }

    @Test func `a trickle ends when its way is opened`() async throws {
        try await withRedisServer(tcp: true) { redis in
            let proxy = try Proxy(to: Int(try #require(redis.port)))
            defer { proxy.end() }
            _ = redis.command("SET value \(String(repeating: "x", count: Self.size))")
            proxy.make(.trickling)
            let answer = try Client(proxy.port).ask { proxy.make(.open) }
            // A trickle to its end would be near 3,000 writes.
            #expect(answer.bytes == Self.whole && answer.pieces < 500)
        }
    }

    /// A connection of a client that waits for an answer, but not for ever.
    private final class Client {
        /// How an answer came.
        struct Answer {
            /// How many bytes came.
            var bytes = 0
            /// In how many pieces they came.
            var pieces = 0
            /// How long it took.
            var time = Duration.zero
            /// What ended it before it was whole: an `errno`, or 0 for the end of the connection.
            var end: Int32?
        }

        private let socket: Int32

        init(_ port: Int) throws {
            socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
            let isConnected = withUnsafePointer(to: &address) { [socket] pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isConnected else { throw TestBedError("no connection to \(port)") }
            var patience = timeval(tv_sec: 2, tv_usec: 0)
            setsockopt(
                socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        }

        deinit { close(socket) }

        /// Asks for the value and reads until it is whole, or nothing more comes; does something after the first piece.
        func ask(afterFirst act: () -> Void = {}) -> Answer {
            var answer = Answer()
            let begun = ContinuousClock.now
            let question = "GET value\r\n"
            send(socket, question, question.utf8.count, Int32(MSG_NOSIGNAL))
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while answer.bytes < ProxyTests.whole {
                let count = recv(socket, &buffer, buffer.count, 0)
                guard count > 0 else {
                    answer.end = count == 0 ? 0 : errno
                    break
                }
                answer.bytes += count
                answer.pieces += 1
                if answer.pieces == 1 { act() }
            }
            answer.time = ContinuousClock.now - begun
            return answer
        }
    }
}
