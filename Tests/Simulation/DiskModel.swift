import Glibc
import Walk

/// A disk that keeps its promises and no others: what was not synced may be gone after a loss of power.
///
/// The bytes of a file are safe from `fsync` on, a name is safe from the `fsync` of its directory on. What was written or
/// renamed since then has come to the disk or not, in part or as a whole, as chance will have it. A process that is killed
/// takes nothing of this with it.
struct DiskModel: Sendable {
    private struct File {
        var bytes: [UInt8] = []
        /// What is on the disk for certain.
        var synced: [UInt8] = []
    }

    /// Every file that was ever made, by a number that no other one gets.
    private var files: [Int32: File] = [:]
    private var nextFile: Int32 = 1_000
    private var names: [String: Int32] = [:]
    /// The names that are on the disk for certain.
    private var syncedNames: [String: Int32] = [:]
    private var locks: [Int32: String] = [:]

    /// The bytes of a file as any process sees them; nil when there is none of that name.
    func read(_ path: String) -> [UInt8]? { names[path].flatMap { files[$0]?.bytes } }

    /// Puts a file on the disk for certain, or takes one from it.
    mutating func put(_ bytes: [UInt8]?, at path: String) {
        names[path] = nil
        if let bytes {
            files[nextFile] = File(bytes: bytes, synced: bytes)
            names[path] = nextFile
            nextFile += 1
        }
        syncedNames[path] = names[path]
    }

    /// Makes a file, or empties the one that is there, and returns its descriptor.
    mutating func create(_ path: String) -> Int32 {
        if let file = names[path] {
            files[file]?.bytes = []
            return file
        }
        defer { nextFile += 1 }
        files[nextFile] = File()
        names[path] = nextFile
        return nextFile
    }

    /// Adds bytes to the end of a file.
    mutating func write(_ file: Int32, _ bytes: some Sequence<UInt8>) {
        files[file]?.bytes += bytes
    }

    /// Brings a file's bytes to the disk.
    mutating func sync(_ file: Int32) {
        guard let bytes = files[file]?.bytes else { return }
        files[file]?.synced = bytes
    }

    /// Gives a file another's name.
    mutating func rename(_ path: String, to target: String) {
        names[target] = names.removeValue(forKey: path)
    }

    /// Brings all names to the disk.
    mutating func syncNames() { syncedNames = names }

    /// Takes a lock and returns its descriptor; nil when another process has it.
    mutating func lock(_ path: String) -> Int32? {
        guard !locks.values.contains(path) else { return nil }
        defer { nextFile += 1 }
        locks[nextFile] = path
        return nextFile
    }

    /// Gives back a lock.
    mutating func unlock(_ file: Int32) { locks[file] = nil }

    /// Gives back all locks, as the end of their process does.
    mutating func unlockAll() { locks = [:] }

    /// The machine stops and starts again.
    mutating func losePower(using generator: inout SeededGenerator) {
        for path in Set(names.keys).union(syncedNames.keys).sorted()
        where names[path] != syncedNames[path] && Bool.random(using: &generator) {
            names[path] = syncedNames[path]
        }
        for (file, content) in files.sorted(by: { $0.key < $1.key })
        where content.bytes != content.synced {
            let kept = Int.random(in: 0...content.bytes.count, using: &generator)
            let isOld = Bool.random(using: &generator)
            let bytes = isOld ? content.synced : Array(content.bytes.prefix(kept))
            files[file] = File(bytes: bytes, synced: bytes)
        }
        syncedNames = names
        unlockAll()
    }
}

/// The disk as one process of the daemon sees it: steps fail, and the process may die at any of them.
struct SimulatedFiles: FileSystem {
    let world: World
    let life: Life

    func createDirectory(_ path: String) throws(FileError) {
        try perform(.createDirectory, path) { _ in }
    }

    func lock(_ path: String) throws(FileError) -> Int32? {
        // Whether it can be had is what the walk's own code is to find out, so this step does not fail.
        world.access { $0.disk.lock(path) }
    }

    func unlock(_ file: Int32, path: String) throws(FileError) {
        if life.isOn { world.access { $0.disk.unlock(file) } }
    }

    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8]? {
        world.access { $0.disk.read(path) }
    }

    func create(_ path: String) throws(FileError) -> Int32 {
        try perform(.create, path) { $0.create(path) }
    }

    func write(_ file: Int32, _ bytes: [UInt8], path: String) throws(FileError) {
        let isTorn = isStormy && world.happens(0.02)
        if isTorn {
            world.access { $0.disk.write(file, bytes.prefix(bytes.count / 2)) }
            throw FileError(.write, path, errno: ENOSPC)
        }
        try perform(.write, path) { $0.write(file, bytes) }
    }

    func sync(_ file: Int32, path: String) throws(FileError) {
        try perform(.sync, path) { $0.sync(file) }
    }

    func close(_ file: Int32, path: String) throws(FileError) {
        // A lock does not end with it: others may have a copy of the descriptor.
        try perform(.close, path) { _ in }
    }

    func rename(_ path: String, to target: String) throws(FileError) {
        try perform(.rename, path) { $0.rename(path, to: target) }
    }

    func syncDirectory(_ path: String) throws(FileError) {
        try perform(.syncDirectory, path) { $0.syncNames() }
    }

    private var isStormy: Bool {
        world.scenario.hasBadDisk && world.clock.uptime < world.scenario.calm
    }

    private func perform<Result: Sendable>(
        _ step: FileStep, _ path: String, _ effect: (inout DiskModel) -> Result
    ) throws(FileError) -> Result {
        // A process that is not there any more does nothing more.
        guard life.isOn else { throw FileError(step, path, errno: EIO) }
        if isStormy, world.happens(0.01) {
            world.note("the disk fails: \(step.words)")
            throw FileError(step, path, errno: EIO)
        }
        let result = world.access { effect(&$0.disk) }
        if isStormy, world.happens(0.002) { life.end() }
        return result
    }
}
