// Opens Glibc: filling a file up, and ending a process.

import Foundation
import Glibc
import TestBed

/// A small file system of its own, which can be filled up (ENOSPC).
///
/// A limit for the size of files would hold for the log as well, and kills by a signal. Mounting takes the rights of root, which
/// every user has in a user namespace of its own: a process that does nothing else holds one, and others reach what is mounted
/// there through `/proc`.
final class ChaosDisk: Sendable {
    /// The file system's top folder, as all processes of this user can reach it.
    let path: String
    private let folder: TemporaryDirectory
    private let holder: Process
    // Kept open: the holder ends when it closes, and the file system with it.
    private let input: Pipe

    /// Mounts a file system of a size as tmpfs understands it, such as `4m`; nil where no user may make a namespace, as in many
    /// containers.
    init?(size: String) async throws {
        let (folder, holder, input) = (try TemporaryDirectory(), Process(), Pipe())
        let words = folder.path("words")
        try Data().write(to: URL(filePath: words))
        let script =
            #"mount -t tmpfs -o "size=$2,mode=0700" none "$1" && echo ready && exec cat"#
        holder.executableURL = URL(filePath: "/usr/bin/env")
        holder.arguments =
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
            + [folder.path, size]
        holder.standardInput = input
        holder.standardOutput = try FileHandle(forWritingTo: URL(filePath: words))
        holder.standardError = FileHandle.nullDevice
        try ShardwalkProcess.run(holder)
        try await wait {
            !holder.isRunning || FileManager.default.contents(atPath: words)?.isEmpty == false
        }
        guard holder.isRunning else { return nil }
        path = "/proc/\(holder.processIdentifier)/root\(folder.path)"
        (self.folder, self.holder, self.input) = (folder, holder, input)
    }

    private var filler: String { path + "/filler" }

    /// Leaves no room.
    func fill() throws {
        let file = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TestBedError("the disk can't be filled") }
        defer { close(file) }
        for size in [1 << 16, 1 << 12, 1] {
            let bytes = [UInt8](repeating: 0, count: size)
            while write(file, bytes, size) > 0 {}
        }
    }

    /// Makes room again.
    func empty() { unlink(filler) }

    /// Takes the file system away with everything in it.
    func remove() { kill(holder.processIdentifier, SIGKILL) }
}

/// The clock of one process's machine, which a library (Tests/WrongClock) tells it.
final class ChaosClock: Sendable {
    /// The library lies beside the binary.
    private static let library = ShardwalkProcess.binary.deletingLastPathComponent()
        .appending(path: "libWrongClock.so").path

    private let path: String

    /// A clock that is right at first.
    init(_ path: String) throws {
        self.path = path
        try Self.bytes(0).write(to: URL(filePath: path))
    }

    /// What a process is to be started with.
    var environment: [String: String] {
        ["LD_PRELOAD": Self.library, "WRONG_CLOCK_FILE": path]
    }

    /// Sets the clock, so that it is wrong by so many seconds.
    func set(_ seconds: Int) throws {
        // In place: processes have the file mapped.
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.write(contentsOf: Self.bytes(seconds))
        try file.close()
    }

    private static func bytes(_ seconds: Int) -> Data {
        withUnsafeBytes(of: Int64(seconds)) { Data($0) }
    }
}
