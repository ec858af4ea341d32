// Opens Glibc: sockets.

import AWS
import Glibc

/// An answer, and how it comes to the client.
struct Answer: Sendable {
    /// The ways in which an answer comes.
    enum Delivery: Hashable, Sendable {
        /// Whole, in one write.
        case whole
        /// Not at all: the connection is reset.
        case reset
        /// The first half of the body; then the connection is reset.
        case cut
        /// The head at once and the body in pieces, within so many milliseconds.
        case trickle(milliseconds: Int)
    }

    /// What is answered.
    var response: HTTPResponse
    /// How it comes.
    var delivery = Delivery.whole
}

extension Answer {
    /// The most pieces of a body that trickles.
    private static let pieces = 20

    /// Sends the answer.
    /// - Returns: whether the connection can be used on.
    func send(to connection: Int32, keepsAlive: Bool) -> Bool {
        let head = head(keepsAlive: keepsAlive)
        switch delivery {
        case .whole: return Self.send(head + response.body, connection) && keepsAlive
        case .reset:
            Self.resetOnClose(connection)
            return false
        case .cut:
            _ = Self.send(head + response.body.prefix(response.body.count / 2), connection)
            Self.resetOnClose(connection)
            return false
        case .trickle(let milliseconds):
            guard Self.send(head, connection) else { return false }
            let width = max(1, (response.body.count + Self.pieces - 1) / Self.pieces)
            var rest = response.body[...]
            while !rest.isEmpty {
                usleep(UInt32(milliseconds * 1_000 / Self.pieces))
                guard Self.send(Array(rest.prefix(width)), connection) else { return false }
                rest = rest.dropFirst(width)
            }
            return keepsAlive
        }
    }

    /// Sends bytes that are no answer of the service's.
    static func send(_ bytes: [UInt8], _ connection: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { rest in
                Glibc.send(connection, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// A socket that lingers for no time is not closed in order: its peer gets a reset.
    private static func resetOnClose(_ connection: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            connection, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private func head(keepsAlive: Bool) -> [UInt8] {
        let reasons = [
            200: "OK", 400: "Bad Request", 404: "Not Found", 411: "Length Required",
            413: "Content Too Large", 431: "Request Header Fields Too Large",
            500: "Internal Server Error", 503: "Service Unavailable",
        ]
        var head = "HTTP/1.1 \(response.status) \(reasons[response.status] ?? "")\r\n"
        for (name, value) in response.headers.sorted(by: { $0.key < $1.key }) {
            head += "\(name): \(value)\r\n"
        }
        head += "content-length: \(response.body.count)\r\n"
        head += "connection: \(keepsAlive ? "keep-alive" : "close")\r\n\r\n"
        return Array(head.utf8)
    }
}
