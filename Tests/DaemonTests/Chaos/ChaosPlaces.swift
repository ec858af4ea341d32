// Opens Glibc: mounting a file system.

import Foundation
import Glibc
import TestBed

/// A small file system of its own, which can be filled up.
///
/// Nothing else gives the daemon a disk that is full (ENOSPC) and leaves its log alone: a limit for the size of files holds
/// for the log as well, and kills by a signal. Mounting takes the rights of root.
final class ChaosDisk: Sendable {
    private let folder: String

    /// Mounts a file system in a new folder; nil where that is not permitted.
    init?(_ folder: String, size: String) throws {
        self.folder = folder
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        guard mount("none", folder, "tmpfs", 0, "size=\(size),mode=0700") == 0 else { return nil }
    }

    private var filler: String { folder + "/filler" }

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
    func remove() { umount2(folder, Int32(MNT_DETACH)) }
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
