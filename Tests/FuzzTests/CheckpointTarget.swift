import Foundation
import Records

@testable import Walk

/// What is read as a checkpoint is the same checkpoint when it is written and read again.
enum CheckpointTarget {
    private static let head = Array(#"{"format":"shardwalk-checkpoint","checksum":"crc32:"#.utf8)
    private static let checksumLength = 8

    /// Reads a checkpoint file, once as it is and once with the head and the checksum made right.
    static func read(_ input: [UInt8]) throws {
        try decode(input)
        let rest = Array(input.dropFirst(head.count + checksumLength))
        let checksum = String(format: "%08x", CRC32.checksum(rest))
        try decode(head + Array(checksum.utf8) + rest)
    }

    private static func decode(_ text: [UInt8], name: String = "shardwalk") throws {
        let checkpoint: Checkpoint
        do throws(CheckpointDamage) {
            checkpoint = try Checkpoint(decoding: text, name: name)
        } catch {
            guard case .otherName(let other) = error else { return }
            try expect(other != name, "a name is not itself")
            return try decode(text, name: other)
        }
        let again: Checkpoint
        do throws(CheckpointDamage) {
            again = try Checkpoint(decoding: checkpoint.encoded(), name: name)
        } catch {
            throw Finding(description: "what was written cannot be read: \(error)")
        }
        try expect(again == checkpoint, "a checkpoint is another one after writing and reading")
    }
}
