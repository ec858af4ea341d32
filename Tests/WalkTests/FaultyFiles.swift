import Foundation
import Glibc
import Synchronization
import Walk

/// The system's files, of which a chosen step fails, or after which the machine stops.
///
/// A machine that stops keeps what it has to and no more: a file that was not synced is cut in half, and a new name
/// whose directory was not synced is the old one again.
final class FaultyFiles: FileSystem {
    /// What goes wrong.
    enum Fault: Sendable {
        /// This step fails with this error number and has no effect.
        case fails(FileStep, Int32)
        /// The machine stops when this step is done.
        case stopsAfter(FileStep)
        /// The disk is full: what is written goes to /dev/full.
        case isFull
        /// A child that another thread starts has the lock's descriptor as well, until it becomes its program.
        case sharesLock
    }

    private struct State {
        var hasStopped = false
        var lock: Int32?
        var shared: Int32?
        var unsynced: String?
        var renamed: (target: String, before: Data?)?
    }

    private let fault: Fault
    private let files = SystemFiles()
    private let state = Mutex(State())

    init(_ fault: Fault) { self.fault = fault }

    deinit {
        if let shared = state.withLock(\.shared) { _ = Glibc.close(shared) }
    }

    /// Whether the machine has stopped.
    var hasStopped: Bool { state.withLock(\.hasStopped) }

    func createDirectory(_ path: String) throws(FileError) {
        try perform([.createDirectory], path) { () throws(FileError) in
            try files.createDirectory(path)
        }
    }

    func lock(_ path: String) throws(FileError) -> Int32? {
        try perform([.openLock, .lock], path) { () throws(FileError) in
            let lock = try files.lock(path)
            state.withLock { state in
                state.lock = lock
                if case .sharesLock = fault, let lock { state.shared = dup(lock) }
            }
            return lock
        }
    }

    func unlock(_ file: Int32, path: String) throws(FileError) {
        // A lock ends with its process, which a test's is not: a child that is being started has it as well.
        if hasStopped { return try files.unlock(file, path: path) }
        try perform([.unlock], path) { () throws(FileError) in
            try files.unlock(file, path: path)
        }
    }

    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8]? {
        try perform([.openRead, .read], path) { () throws(FileError) in
            try files.read(path, limit: limit)
        }
    }

    func create(_ path: String) throws(FileError) -> Int32 {
        try perform([.create], path) { () throws(FileError) in
            let file = try files.create(path)
            state.withLock { $0.unsynced = path }
            guard case .isFull = fault else { return file }
            let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
            _ = Glibc.close(file)
            return full
        }
    }

    func write(_ file: Int32, _ bytes: [UInt8], path: String) throws(FileError) {
        try perform([.write], path) { () throws(FileError) in
            try files.write(file, bytes, path: path)
        }
    }

    func sync(_ file: Int32, path: String) throws(FileError) {
        try perform([.sync], path) { () throws(FileError) in
            try files.sync(file, path: path)
            state.withLock { $0.unsynced = nil }
        }
    }

    func close(_ file: Int32, path: String) throws(FileError) {
        // A lock ends with its process in any case.
        if state.withLock({ $0.lock == file }) { return try files.close(file, path: path) }
        try perform([.close], path) { () throws(FileError) in
            try files.close(file, path: path)
        }
    }

    func rename(_ path: String, to target: String) throws(FileError) {
        let before = try? Data(contentsOf: URL(filePath: target))
        try perform([.rename], path) { () throws(FileError) in
            try files.rename(path, to: target)
            state.withLock { $0.renamed = (target, before) }
        }
    }

    func syncDirectory(_ path: String) throws(FileError) {
        try perform([.openDirectory, .syncDirectory], path) { () throws(FileError) in
            try files.syncDirectory(path)
            state.withLock { $0.renamed = nil }
        }
    }

    private func perform<Result>(
        _ steps: [FileStep], _ path: String, _ body: () throws(FileError) -> Result
    ) throws(FileError) -> Result {
        // A process that is not there any more does nothing more.
        if hasStopped { throw FileError(steps[0], path, errno: EIO) }
        if case .fails(let step, let errno) = fault, steps.contains(step) {
            throw FileError(step, path, errno: errno)
        }
        let result = try body()
        if case .stopsAfter(let step) = fault, steps.contains(step) { stop() }
        return result
    }

    private func stop() {
        state.withLock { state in
            state.hasStopped = true
            if let path = state.unsynced, let bytes = try? Data(contentsOf: URL(filePath: path)) {
                try? bytes.prefix(bytes.count / 2).write(to: URL(filePath: path))
            }
            guard let renamed = state.renamed else { return }
            if let before = renamed.before {
                try? before.write(to: URL(filePath: renamed.target))
            } else {
                try? FileManager.default.removeItem(atPath: renamed.target)
            }
        }
    }
}
