import Foundation
import Glibc
import Synchronization

/// The servers that this process has started and not yet ended: they are killed when it exits.
enum LiveServers {
    private static let processes = Mutex<[URL: Process]>([:])
    /// Registers the clean-up once, at the first server.
    private static let cleanUpAtExit: Void = {
        atexit { LiveServers.end() }
        at_quick_exit { LiveServers.end() }
    }()

    private static func end() {
        processes.withLock { left in
            for (directory, process) in left {
                if process.isRunning { kill(process.processIdentifier, SIGKILL) }
                // Somebody may still write to it.
                for _ in 0..<10 where FileManager.default.fileExists(atPath: directory.path) {
                    try? FileManager.default.removeItem(at: directory)
                }
            }
        }
    }

    /// Remembers the server that lives in `directory`.
    static func insert(_ directory: URL, process: Process) {
        cleanUpAtExit
        processes.withLock { $0[directory] = process }
    }

    /// Removes the directory of a server that has ended, and forgets it.
    ///
    /// Two who remove it side by side would take files away from each other, and both give up; so one waits for the other.
    static func remove(_ directory: URL) {
        processes.withLock {
            try? FileManager.default.removeItem(at: directory)
            $0[directory] = nil
        }
    }
}
