import Glibc

/// Ports of the loopback address that nobody listens on.
package enum FreePort {
    /// A port that was free a moment ago.
    ///
    /// Servers should rather bind to port 0 and say what they got.
    package static func find() throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw failure("socket") }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(socket, generic, size) == 0 ? getsockname(socket, generic, &size) : -1
            }
        }
        guard result == 0 else { throw failure("bind") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    private static func failure(_ call: String) -> TestBedError {
        TestBedError("no free port: \(call): \(String(cString: strerror(errno)))")
    }
}
