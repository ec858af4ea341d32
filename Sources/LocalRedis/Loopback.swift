import Foundation
import Glibc

/// A new directory that only this user may enter, with a path short enough for a socket inside it.
func makePrivateDirectory() throws -> URL {
    for parent in [NSTemporaryDirectory(), "/tmp"] {
        // Source: unix(7): a socket's path has 108 bytes; the names inside need about 20 of them. The path becomes
        // part of configurations and addresses, whose special characters are nobody's business here.
        guard parent.utf8.count < 60, parent.wholeMatch(of: /[A-Za-z0-9\/._-]+/) != nil else {
            continue
        }
        var template = Array((parent + "/shardwalk-redis-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { continue }
        let path = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return URL(filePath: path).standardizedFileURL
    }
    throw RedisServerError("no temporary directory can be made: set TMPDIR to a writable one")
}

/// A port of 127.0.0.1 that nobody listens on at this moment.
func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let named = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            bind(descriptor, generic, size) == 0 && getsockname(descriptor, generic, &size) == 0
        }
    }
    guard named else {
        throw RedisServerError("no free port on 127.0.0.1: \(String(cString: strerror(errno)))")
    }
    return UInt16(bigEndian: address.sin_port)
}

/// Sends one line to a server's socket and returns its answer, the first line of it or the bytes that the line
/// announces; nil if it does not come within so many seconds.
func answer(to line: String, atSocket path: String, within seconds: Int) -> String? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: seconds, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(
            descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let connected = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
        }
    }
    let request = line + "\r\n"
    guard connected,
        send(descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL)) == request.utf8.count
    else { return nil }
    var answer: [UInt8] = []
    while true {
        var part = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &part, part.count, 0)
        guard count > 0 else { return nil }
        answer += part[..<count]
        guard let end = answer.firstIndex(of: UInt8(ascii: "\n")) else { continue }
        let line = String(decoding: answer[..<(end - 1)], as: UTF8.self)
        guard line.hasPrefix("$"), let length = Int(line.dropFirst()), length > 0 else {
            return line
        }
        let bytes = answer[(end + 1)...].prefix(length)
        if bytes.count == length { return String(decoding: bytes, as: UTF8.self) }
    }
}
