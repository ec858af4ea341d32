import Glibc

/// Reads the small text files that settings and credentials are in; opens Glibc.
///
/// One open file is checked and read, however often a rotation replaces what its name stands for; named
/// pipes and devices are refused, and so is anything larger than a file of this kind ever is.
enum SmallFile {
    /// What is in a file, and who else may read it.
    struct Content: Hashable, Sendable {
        /// The text.
        let text: String
        /// Whether the file's mode lets its group or everybody read it.
        let isOpenToOthers: Bool
    }

    /// A file that is there and could not be read.
    struct Unreadable: Error, Hashable {
        /// What is wrong, in the system's words; never what is in the file.
        let reason: String
    }

    /// The largest file that is read, in bytes.
    static let limit = 1 << 20

    /// The text of a regular file of at most a mebibyte of UTF-8; nil where there is no such file.
    static func read(_ path: String) throws(Unreadable) -> Content? {
        // Not blocking, since the open of a named pipe without a writer would never return.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            if code == ENOENT || code == ENOTDIR { return nil }
            throw Unreadable(reason: String(cString: strerror(code)))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw Unreadable(reason: String(cString: strerror(errno)))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        guard let text = String(validating: try bytes(of: descriptor), as: UTF8.self) else {
            throw Unreadable(reason: "it is not UTF-8 text")
        }
        return Content(text: text, isOpenToOthers: status.st_mode & (S_IRGRP | S_IROTH) != 0)
    }

    private static func bytes(of descriptor: Int32) throws(Unreadable) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Unreadable(reason: String(cString: strerror(errno))) }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= limit else {
                throw Unreadable(reason: "it is larger than \(limit) bytes")
            }
        }
    }

    /// The home directory of the process's user as the system knows it, for want of the variable `HOME`.
    static func homeDirectory() -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16384)
        guard getpwuid_r(getuid(), &entry, &buffer, buffer.count, &found) == 0, found != nil,
            let directory = entry.pw_dir
        else { return nil }
        return String(cString: directory)
    }
}
