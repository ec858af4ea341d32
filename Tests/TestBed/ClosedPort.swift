import Glibc

/// A port of the loopback address at which connections are refused for as long as this value lives.
///
/// It is bound and not listened at, so that nobody else gets it meanwhile.
package final class ClosedPort: Sendable {
    /// The port.
    package let number: Int
    private let socket: Int32

    /// Takes a port that is free.
    package init() throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw Self.failure("socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(socket, generic, size) == 0 ? getsockname(socket, generic, &size) : -1
            }
        }
        guard result == 0 else {
            let failure = Self.failure("bind")
            close(socket)
            throw failure
        }
        self.socket = socket
        number = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(socket) }

    private static func failure(_ call: String) -> TestBedError {
        TestBedError("no free port: \(call): \(String(cString: strerror(errno)))")
    }
}
