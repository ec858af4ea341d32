import Foundation
import Glibc
import Synchronization
import TestBed

/// A listener on loopback that is not Redis: what it does with a connection is up to the test.
///
/// It serves one connection after the other, on a thread of its own, until it is closed.
final class StrangeServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let isClosed = Mutex(false)

    /// Starts to listen; `serve` gets the descriptor of each connection, which is closed after it.
    init(_ serve: @escaping @Sendable (Int32) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { [listener] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, size) == 0 && listen(listener, 8) == 0
                    && getsockname(listener, generic, &size) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard isListening else { throw TestBedError("cannot listen on loopback") }
        Thread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                if isClosed.withLock({ $0 }) || connection < 0 {
                    Glibc.close(connection)
                    break
                }
                serve(connection)
                Glibc.close(connection)
            }
            Glibc.close(listener)
        }.start()
    }

    /// Ends the listener after the connection that it serves.
    func close() {
        isClosed.withLock { $0 = true }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    /// Waits for bytes of the other side; false at its end.
    static func read(_ connection: Int32) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        return recv(connection, &bytes, bytes.count, 0) > 0
    }

    /// Sends a text; false where the other side is gone.
    static func write(_ text: String, to connection: Int32) -> Bool {
        send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count
    }
}
