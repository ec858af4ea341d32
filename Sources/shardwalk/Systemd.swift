import FoundationEssentials
import Glibc

/// Tells systemd how the service is doing: one datagram per word to the socket that it names (sd_notify(3)).
///
/// Outside systemd nothing is sent.
struct Systemd: Sendable {
    private let socketPath: String?
    /// How often systemd wants to hear that the service lives; nil when it doesn't.
    let watchdogInterval: Duration?

    /// Reads what systemd has put into the environment.
    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        // Another process's watchdog is none of ours.
        let isForUs = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
        watchdogInterval =
            isForUs
            ? environment["WATCHDOG_USEC"].flatMap(Int64.init).map { .microseconds($0) } : nil
    }

    /// The service has started.
    func ready(_ status: String) { send("READY=1\nSTATUS=\(status)") }
    /// What the service does, in one line.
    func status(_ status: String) { send("STATUS=\(status)") }
    /// The service is about to end.
    func stopping() { send("STOPPING=1\nSTATUS=draining") }
    /// The service lives.
    func watchdog() { send("WATCHDOG=1") }

    /// Sends one message; one that can't be delivered is dropped, as sd_notify(3) advises.
    private func send(_ text: String) {
        guard let socketPath else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = Array(socketPath.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.count < capacity else { return }
        // A leading @ stands for the zero byte of an abstract socket.
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length =
            socklen_t(MemoryLayout<sockaddr_un>.size - capacity + path.count)
            + (path[0] == 0 ? 0 : 1)
        let file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { return }
        defer { close(file) }
        let message = Array(text.utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                sendto(file, message, message.count, Int32(MSG_NOSIGNAL), pointer, length)
            }
        }
    }
}
