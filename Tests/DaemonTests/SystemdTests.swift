import Foundation
import Glibc
import LocalStreams
import Synchronization
import TestBed
import Testing
import Walk

// What systemd is told over the socket that it names: sd_notify(3).
@Suite(.serialized) struct SystemdTests {
    @Test(arguments: [false, true])
    func `it hears of the start, of life and of the end`(isAbstract: Bool) async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try stage.configure()
            let name =
                isAbstract ? "@shardwalk-\(UUID().uuidString)" : stage.folder.path("notify")
            let socket = try NotifySocket(name)
            let daemon = try stage.start(
                "run", environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"])
            try await wait { socket.messages.contains { $0.hasPrefix("READY=1\n") } }
            // It goes on while nothing comes in: a stream without news is no reason to end the service.
            try await wait { socket.messages.count { $0 == "WATCHDOG=1" } >= 8 }
            #expect(!socket.messages.contains { $0.hasPrefix("STOPPING=1") })
            try await daemon.stop()
            try await wait { socket.messages.contains { $0.hasPrefix("STOPPING=1\n") } }
        }
    }

    @Test func `it hears of life while a server is away`() async throws {
        try await withStage(endpoint: "http://127.0.0.1:1") { stage in
            try stage.configure()
            let name = stage.folder.path("notify")
            let socket = try NotifySocket(name)
            let daemon = try stage.start(
                "run", environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000"])
            try await wait { socket.messages.count { $0 == "WATCHDOG=1" } >= 4 }
            try await daemon.stop()
        }
    }

    @Test func `a watchdog that is another process's is left alone`() async throws {
        try await withStage { stage, _ in
            try await stage.table().create()
            try stage.configure()
            let name = stage.folder.path("notify")
            let socket = try NotifySocket(name)
            let daemon = try stage.start(
                "run",
                environment: [
                    "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "1",
                ])
            try await wait { try stage.checkpoint()?.streams.isEmpty == false }
            try await daemon.stop()
            try await wait { socket.messages.contains { $0.hasPrefix("STOPPING=1\n") } }
            #expect(!socket.messages.contains("WATCHDOG=1"))
        }
    }
}

/// The socket of a service manager.
final class NotifySocket: Sendable {
    private let socket: Int32
    private let received = Mutex<[String]>([])

    /// What has come, each datagram once.
    var messages: [String] {
        received.withLock { received in
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while true {
                let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                guard count >= 0 else { return received }
                received.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
        }
    }

    /// Listens at a path, or with a leading @ at an abstract name.
    init(_ name: String) throws {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = Array(name.utf8)
        let offset = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        // The name of an abstract socket has no zero byte behind it that would not be part of it.
        let length = offset + path.count + (path.first == UInt8(ascii: "@") ? 0 : 1)
        if path.first == UInt8(ascii: "@") { path[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(length))
            }
        }
        guard result == 0 else {
            throw TestBedError("no socket at \(name): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(socket) }
}
