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

/// The clock of one process's machine, set by libfaketime.
///
/// Its version 0.9.10 shifts timers of other clocks as well, whatever it is told, so that a process whose clock is set back may
/// sleep for as long: a run that stands still says nothing of the daemon.
final class ChaosClock: Sendable {
    private static let library = "/usr/lib/\(machine)-linux-gnu/faketime/libfaketime.so.1"

    private static var machine: String {
        #if arch(arm64)
        "aarch64"
        #else
        "x86_64"
        #endif
    }

    private let path: String

    /// A clock that is right at first; nil where the library is not installed.
    init?(_ path: String) throws {
        self.path = path
        guard FileManager.default.fileExists(atPath: Self.library) else { return nil }
        try set(0)
    }

    /// The program to start a process with.
    ///
    /// libfaketime puts a variable into the environment of the first process that it is loaded into, which moves the
    /// environment away from the arguments; Swift looks for them before it. So another process has to be the first one.
    let launcher = "/usr/bin/env"

    /// What a process is to be started with.
    var environment: [String: String] {
        [
            "LD_PRELOAD": Self.library, "FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ]
    }

    /// Removes what the library leaves behind of a process that was killed.
    func clear(after process: Int32) {
        unlink("/dev/shm/faketime_shm_\(process)")
        unlink("/dev/shm/sem.faketime_sem_\(process)")
    }

    /// Sets the clock, so that it is wrong by so many seconds.
    func set(_ seconds: Int) throws {
        try Data((seconds < 0 ? "\(seconds)" : "+\(seconds)").utf8)
            .write(to: URL(filePath: path), options: .atomic)
    }
}
