import Dispatch
import Glibc

/// Where the checkpoint is kept.
package protocol CheckpointStore: Sendable {
    /// Replaces what was remembered; it is on disk when this returns.
    ///
    /// Saves come one after the other, and each asks for what is to be remembered when its turn has come: so an older
    /// state never takes the place of a newer one.
    func save(_ current: @escaping @Sendable () -> Checkpoint) async throws(CheckpointError)
}

/// A checkpoint that could not be opened or saved: what happened and what to do.
package struct CheckpointError: Error, Sendable, CustomStringConvertible {
    /// What the failure means for the program.
    package enum Kind: Sendable {
        /// The disk, the directory or its permissions.
        case storage
        /// Another process holds the lock.
        case inUse
        /// The file is there, and can't be used.
        case unusable
    }

    /// What the failure means for the program.
    package let kind: Kind
    /// What failed.
    package let description: String
    /// What to do about it.
    package let advice: String

    /// A failure in words.
    package init(kind: Kind, description: String, advice: String) {
        self.kind = kind
        self.description = description
        self.advice = advice
    }
}

/// The checkpoint on disk: `<directory>/<name>.checkpoint.json`, one process at a time.
///
/// It is replaced by writing a new file beside it, syncing that, renaming it over the old one and syncing the directory, so
/// that at every moment a whole checkpoint is there: the old one or the new one.
package final class CheckpointFile<Files: FileSystem>: CheckpointStore {
    private let directory: String
    private let name: String
    private let files: Files
    private let lock: Int32
    /// Saving blocks on the disk, which the threads of Swift's tasks must not.
    private let queue = DispatchQueue(label: "checkpoint")

    /// The largest file that is read: 100,000 shards take about 20 MB.
    private static var sizeMaximum: Int { 256 << 20 }

    /// Where the checkpoint of a daemon is kept.
    package static func path(directory: String, name: String) -> String {
        "\(directory)/\(name).checkpoint.json"
    }

    /// Makes the directory if it is missing, and locks the checkpoint for this process until the value goes.
    package init(
        directory: String, name: String, files: Files
    ) throws(CheckpointError) {
        self.directory = directory
        self.name = name
        self.files = files
        let path = "\(directory)/\(name).lock"
        let lock: Int32?
        do throws(FileError) {
            try files.createDirectory(directory)
            lock = try files.lock(path)
        } catch {
            throw CheckpointError(storage: error)
        }
        guard let lock else {
            throw CheckpointError(
                kind: .inUse, description: "another process holds \(path)",
                advice:
                    "One shardwalk at a time may use a checkpoint: stop the other one, or give this one another name."
            )
        }
        self.lock = lock
    }

    // Closing alone would not end the lock while a child that is being started shares the descriptor. Nothing is left
    // to be done if either fails.
    deinit {
        let path = "\(directory)/\(name).lock"
        try? files.unlock(lock, path: path)
        try? files.close(lock, path: path)
    }

    /// Reads the checkpoint; nil when there is none yet.
    package func load() throws(CheckpointError) -> Checkpoint? {
        try Self.load(directory: directory, name: name, files: files)
    }

    /// Reads a checkpoint without its lock, as `status` does beside a running daemon; nil when there is none.
    package static func load(
        directory: String, name: String, files: Files
    ) throws(CheckpointError) -> Checkpoint? {
        let path = path(directory: directory, name: name)
        let bytes: [UInt8]?
        do throws(FileError) {
            bytes = try files.read(path, limit: sizeMaximum)
        } catch {
            throw CheckpointError(storage: error)
        }
        guard let bytes else { return nil }
        do throws(CheckpointDamage) {
            return try Checkpoint(decoding: bytes, name: name)
        } catch {
            throw CheckpointError(damage: error, path: path)
        }
    }

    package func save(
        _ current: @escaping @Sendable () -> Checkpoint
    ) async throws(CheckpointError) {
        let result: Result<Void, CheckpointError> = await withCheckedContinuation { continuation in
            queue.async {
                continuation.resume(
                    returning: Result { () throws(CheckpointError) in
                        try self.saveNow(current())
                    })
            }
        }
        try result.get()
    }

    /// Replaces what was remembered, on the calling thread, which waits for the disk; see ``save(_:)``.
    package func saveNow(_ checkpoint: Checkpoint) throws(CheckpointError) {
        let path = Self.path(directory: directory, name: name)
        let temporary = path + ".new"
        do throws(FileError) {
            let file = try files.create(temporary)
            do throws(FileError) {
                try files.write(file, checkpoint.encoded(), path: temporary)
                try files.sync(file, path: temporary)
            } catch {
                // What was written is not used; the next save begins with an empty file again.
                try? files.close(file, path: temporary)
                throw error
            }
            try files.close(file, path: temporary)
            try files.rename(temporary, to: path)
            try files.syncDirectory(directory)
        } catch {
            throw CheckpointError(storage: error)
        }
    }
}

extension CheckpointError {
    init(storage error: FileError) {
        let advice =
            switch error.errno {
            case ENOSPC, EDQUOT:
                "The disk is full. Free some space; the checkpoint saved last is still there and valid."
            case EROFS, EACCES, EPERM:
                "Give shardwalk a directory that it may write to (checkpoint.directory)."
            case ENOENT, ENOTDIR:
                "Make the directory that is to hold it, or name another one (checkpoint.directory)."
            case ELOOP:
                "A symbolic link stands in its place, and is not followed: remove it."
            case EISDIR: "A directory stands in its place: remove it."
            case EFBIG: "No checkpoint is this large: it is not shardwalk's file. Move it away."
            default: "Look at the disk. The checkpoint saved last is still there and valid."
            }
        self.init(
            kind: .storage, description: "the checkpoint can't be used: \(error)", advice: advice)
    }

    init(damage: CheckpointDamage, path: String) {
        kind = .unusable
        let wayOut =
            "Restore it from a backup, or move it away to begin again as the configuration says (start)."
        switch damage {
        case .foreign:
            description = "\(path) is not a checkpoint of shardwalk's, or its beginning is damaged"
            advice = wayOut
        case .newerVersion(let version):
            description =
                "\(path) has version \(version), this program knows \(Checkpoint.version)"
            advice = "A newer shardwalk wrote it: use that one. \(wayOut)"
        case .checksum:
            description = "\(path) is damaged: its checksum does not fit its content"
            advice = wayOut
        case .content(let reason):
            description = "\(path) is damaged: \(reason)"
            advice = wayOut
        case .otherName(let other):
            description = "\(path) belongs to a shardwalk named \(other)"
            advice = "Rename the file back, or set the name in the configuration. \(wayOut)"
        }
    }
}
