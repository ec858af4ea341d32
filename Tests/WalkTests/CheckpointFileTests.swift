import Foundation
import Glibc
import TestBed
import Testing
import Walk

/// The checkpoint on disk: at every moment a whole one is there, and one process at a time uses it.
@Suite struct CheckpointFileTests {
    static let old = Checkpoint(name: "cache", savedAt: 1)
    static let new = Checkpoint(name: "cache", savedAt: 2)
    /// The steps of a save.
    static let saving: [FileStep] = [
        .create, .write, .sync, .close, .rename, .openDirectory, .syncDirectory,
    ]

    let directory: TemporaryDirectory
    var path: String { directory.path("cache.checkpoint.json") }

    init() throws { directory = try TemporaryDirectory() }

    func open<Files: FileSystem>(
        _ files: Files, in place: String? = nil
    ) throws(CheckpointError) -> CheckpointFile<Files> {
        try CheckpointFile(directory: place ?? directory.path, name: "cache", files: files)
    }

    /// What a process finds that starts now.
    func found() throws -> Checkpoint? { try open(SystemFiles()).load() }

    /// The error of an operation that has to fail.
    func failure(_ body: () async throws -> Void) async -> CheckpointError? {
        do {
            try await body()
            Issue.record("nothing failed")
            return nil
        } catch {
            return error as? CheckpointError
        }
    }

    // MARK: Saving

    @Test func `what is saved is found, and there is nothing at first`() async throws {
        let file = try open(SystemFiles())
        #expect(try file.load() == nil)
        try await file.save { Self.old }
        #expect(try file.load() == Self.old)
        try await file.save { Self.new }
        #expect(try file.load() == Self.new)
        #expect(
            try CheckpointFile.load(
                directory: directory.path, name: "cache", files: SystemFiles()) == Self.new)
    }

    @Test func `saves that come together end with the newest`() async throws {
        let file = try open(SystemFiles())
        let times = Collected<Int>()
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask {
                    try await file.save {
                        times.add(0)
                        return Checkpoint(name: "cache", savedAt: Double(times.values.count))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try file.load()?.savedAt == 50)
    }

    @Test func `a directory that is missing is made`() async throws {
        let inner = directory.path("state")
        do {
            let file = try open(SystemFiles(), in: inner)
            try await file.save { Self.old }
        }
        #expect(try open(SystemFiles(), in: inner).load() == Self.old)
    }

    @Test(arguments: saving, [EIO, ENOSPC])
    func `a step that fails leaves the old checkpoint, and the next save works`(
        step: FileStep, errno: Int32
    ) async throws {
        try await open(SystemFiles()).save { Self.old }
        let error = await failure {
            try await open(FaultyFiles(.fails(step, errno))).save { Self.new }
        }
        #expect(error?.kind == .storage)
        #expect(error?.description.contains(step.words) == true)
        // After the rename the new one is in its place already.
        let isRenamed = [.openDirectory, .syncDirectory].contains(step)
        #expect(try found() == (isRenamed ? Self.new : Self.old))
        try await open(SystemFiles()).save { Self.new }
        #expect(try found() == Self.new)
    }

    @Test(arguments: saving, [true, false])
    func `a machine that stops at any step leaves a whole checkpoint`(
        step: FileStep, isFirst: Bool
    ) async throws {
        if !isFirst { try await open(SystemFiles()).save { Self.old } }
        let files = FaultyFiles(.stopsAfter(step))
        let isSaved = (try? await open(files).save { Self.new }) != nil
        #expect(files.hasStopped)
        let found = try found()
        #expect(found == Self.new || found == (isFirst ? nil : Self.old))
        if isSaved { #expect(found == Self.new) }
        try await open(SystemFiles()).save { Self.new }
        #expect(try self.found() == Self.new)
    }

    // MARK: Words

    @Test func `a full disk is named, and what is there is still good`() async throws {
        try await open(SystemFiles()).save { Self.old }
        let error = await failure { try await open(FaultyFiles(.isFull)).save { Self.new } }
        #expect(error?.description.contains("No space left on device") == true)
        #expect(error?.advice.contains("disk is full") == true)
        #expect(try found() == Self.old)
    }

    @Test(arguments: [
        (FileStep.openLock, EROFS, "may write to"), (.openLock, EACCES, "may write to"),
        (.createDirectory, EACCES, "may write to"), (.createDirectory, ENOENT, "directory"),
        (.create, ELOOP, "symbolic link"), (.write, EDQUOT, "disk is full"),
        (.sync, EIO, "Look at the disk"),
    ])
    func `an error says what to do`(step: FileStep, errno: Int32, advice: String) async throws {
        let error = await failure {
            try await open(FaultyFiles(.fails(step, errno))).save { Self.new }
        }
        #expect(error?.kind == .storage)
        #expect(error?.advice.contains(advice) == true)
        #expect(error?.description.contains(directory.path) == true)
    }

    @Test func `a directory that can't be made, or is none, is refused`() async throws {
        let missing = await failure { _ = try open(SystemFiles(), in: directory.path("a/b")) }
        #expect(missing?.description.contains("No such file or directory") == true)
        try Data().write(to: URL(filePath: directory.path("file")))
        let file = await failure { _ = try open(SystemFiles(), in: directory.path("file")) }
        #expect(file?.description.contains("Not a directory") == true)
    }

    @Test(arguments: ["cache.checkpoint.json", "cache.checkpoint.json.new", "cache.lock"])
    func `a symbolic link in the place of a file is refused`(name: String) async throws {
        let target = directory.path("elsewhere")
        try Data("precious".utf8).write(to: URL(filePath: target))
        try FileManager.default.createSymbolicLink(
            atPath: directory.path(name), withDestinationPath: target)
        let error = await failure {
            let file = try open(SystemFiles())
            _ = try file.load()
            try await file.save { Self.new }
        }
        #expect(error?.advice.contains("symbolic link") == true)
        #expect(try Data(contentsOf: URL(filePath: target)) == Data("precious".utf8))
    }

    @Test func `what is no checkpoint is refused, with the way out`() async throws {
        let files: [(String, [UInt8], String)] = [
            ("foreign", Array("{}".utf8), "is not a checkpoint"),
            ("damaged", CheckpointTests.full.encoded().dropLast(9) + [], "damaged"),
            ("newer", CheckpointTests.sealed(version: 7, "{}"), "version 7"),
            ("other", CheckpointTests.full.encoded(), "named orders-cache"),
        ]
        for (name, bytes, words) in files {
            try Data(bytes).write(to: URL(filePath: path))
            let error = await failure { _ = try found() }
            #expect(error?.kind == .unusable, "\(name)")
            #expect(error?.description.contains(words) == true, "\(name)")
            #expect(error?.description.contains(path) == true, "\(name)")
            #expect(error?.advice.contains("move it away") == true, "\(name)")
        }
    }

    @Test func `a pipe or a directory in its place does not hang`() async throws {
        #expect(mkfifo(path, 0o600) == 0)
        let pipe = await failure { _ = try found() }
        #expect(pipe?.kind == .unusable)
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
        let folder = await failure { _ = try found() }
        #expect(folder?.kind == .storage)
    }

    // MARK: One process at a time

    @Test func `a second one is told that another process holds the lock`() async throws {
        let first = try open(SystemFiles())
        let error = await failure { _ = try open(SystemFiles()) }
        #expect(error?.kind == .inUse)
        #expect(error?.description.contains(directory.path("cache.lock")) == true)
        let stranger = try process(["-n", directory.path("cache.lock"), "true"])
        stranger.waitUntilExit()
        #expect(stranger.terminationStatus == 1)
        withExtendedLifetime(first) {}
    }

    @Test func `the lock goes with the value`() throws {
        do { _ = try open(SystemFiles()) }
        _ = try open(SystemFiles())
    }

    @Test func `the lock goes with the value though a child that is being started shares it`()
        throws
    {
        let files = FaultyFiles(.sharesLock)
        do { _ = try open(files) }
        _ = try open(SystemFiles())
        withExtendedLifetime(files) {}
    }

    @Test func `the lock of a process that is killed is free`() async throws {
        let other = try process(["-F", directory.path("cache.lock"), "sleep", "600"])
        defer { kill(other.processIdentifier, SIGKILL) }
        try await wait { (try? open(SystemFiles())) == nil }
        kill(other.processIdentifier, SIGKILL)
        try await wait { (try? open(SystemFiles())) != nil }
    }

    /// A process that takes the lock with the system's own tool.
    private func process(_ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/flock")
        process.arguments = arguments
        try process.run()
        return process
    }
}
