import Glibc

/// A step of the checkpoint's life on disk that can fail.
package enum FileStep: String, CaseIterable, Sendable {
    case createDirectory, openLock, lock, unlock, openRead, read, create, write, sync, close, rename
    case openDirectory, syncDirectory

    /// What could not be done.
    package var words: String {
        switch self {
        case .createDirectory: "can't make the directory"
        case .openLock: "can't open the lock"
        case .lock: "can't lock"
        case .unlock: "can't unlock"
        case .openRead: "can't open"
        case .read: "can't read"
        case .create: "can't make"
        case .write: "can't write"
        case .sync: "can't bring to disk"
        case .close: "can't close"
        case .rename: "can't replace"
        case .openDirectory: "can't open the directory"
        case .syncDirectory: "can't bring to disk the names in"
        }
    }
}

/// A step that failed, on which file and why.
package struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The step.
    package let step: FileStep
    /// The file or directory.
    package let path: String
    /// The system's error number.
    package let errno: Int32

    /// A failed step.
    package init(_ step: FileStep, _ path: String, errno: Int32) {
        self.step = step
        self.path = path
        self.errno = errno
    }

    package var description: String {
        "\(step.words) \(path): \(String(cString: strerror(errno)))"
    }
}

/// The few calls that the checkpoint makes: the system's, or those of a test that fails a chosen one.
package protocol FileSystem: Sendable {
    /// Makes a directory, for its owner alone; one that is already there is fine.
    func createDirectory(_ path: String) throws(FileError)
    /// Opens a file and locks it for this process alone; nil when another process holds the lock.
    ///
    /// The lock ends with the last copy of the descriptor, if it is not given back before. A child that another thread
    /// starts has one, until it becomes its program.
    func lock(_ path: String) throws(FileError) -> Int32?
    /// Gives a lock back, whoever else has a copy of its descriptor; the descriptor stays open.
    func unlock(_ file: Int32, path: String) throws(FileError)
    /// The bytes of a file; nil when there is none.
    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8]?
    /// Makes a file anew, empty, for its owner alone to write, and opens it.
    func create(_ path: String) throws(FileError) -> Int32
    /// Writes all bytes.
    func write(_ file: Int32, _ bytes: [UInt8], path: String) throws(FileError)
    /// Brings what was written to the disk.
    func sync(_ file: Int32, path: String) throws(FileError)
    /// Closes a descriptor.
    func close(_ file: Int32, path: String) throws(FileError)
    /// Puts a file in the place of another, in one step.
    func rename(_ path: String, to target: String) throws(FileError)
    /// Brings the names in a directory to the disk.
    func syncDirectory(_ path: String) throws(FileError)
}

/// The system's own files.
package struct SystemFiles: FileSystem {
    /// The machine's file system.
    package init() {}

    package func createDirectory(_ path: String) throws(FileError) {
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw FileError(.createDirectory, path, errno: errno)
        }
    }

    package func lock(_ path: String) throws(FileError) -> Int32? {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw FileError(.openLock, path, errno: errno) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            _ = Glibc.close(file)
            if reason == EWOULDBLOCK { return nil }
            throw FileError(.lock, path, errno: reason)
        }
        return file
    }

    package func unlock(_ file: Int32, path: String) throws(FileError) {
        guard flock(file, LOCK_UN) == 0 else { throw FileError(.unlock, path, errno: errno) }
    }

    package func read(_ path: String, limit: Int) throws(FileError) -> [UInt8]? {
        // Without O_NONBLOCK, a pipe in the file's place would be waited for.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw FileError(.openRead, path, errno: errno)
        }
        defer { _ = Glibc.close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(.read, path, errno: errno) }
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw FileError(.read, path, errno: EFBIG) }
            bytes += chunk[..<count]
        }
    }

    package func create(_ path: String) throws(FileError) -> Int32 {
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW
        let file = open(path, flags, 0o644)
        guard file >= 0 else { throw FileError(.create, path, errno: errno) }
        return file
    }

    package func write(_ file: Int32, _ bytes: [UInt8], path: String) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(.write, path, errno: errno) }
            written += count
        }
    }

    package func sync(_ file: Int32, path: String) throws(FileError) {
        guard fsync(file) == 0 else { throw FileError(.sync, path, errno: errno) }
    }

    package func close(_ file: Int32, path: String) throws(FileError) {
        guard Glibc.close(file) == 0 else { throw FileError(.close, path, errno: errno) }
    }

    package func rename(_ path: String, to target: String) throws(FileError) {
        guard Glibc.rename(path, target) == 0 else {
            throw FileError(.rename, target, errno: errno)
        }
    }

    package func syncDirectory(_ path: String) throws(FileError) {
        let file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw FileError(.openDirectory, path, errno: errno) }
        defer { _ = Glibc.close(file) }
        guard fsync(file) == 0 else { throw FileError(.syncDirectory, path, errno: errno) }
    }
}
