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
        let left = processes.withLock { $0 }
        for (directory, process) in left {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            // Somebody else may be about to remove it as well, or still write to it.
            for _ in 0..<10 where FileManager.default.fileExists(atPath: directory.path) {
                try? FileManager.default.removeItem(at: directory)
            }
        }
    }

    /// Remembers the server that lives in `directory`.
    static func insert(_ directory: URL, process: Process) {
        cleanUpAtExit
        processes.withLock { $0[directory] = process }
    }

    /// Forgets the server of `directory`, which has ended.
    static func remove(_ directory: URL) {
        processes.withLock { _ = $0.removeValue(forKey: directory) }
    }
}
