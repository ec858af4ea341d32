import Foundation
import LocalStreams
import Records
import TestBed
import Testing
import Walk

// The checkpoint as its user meets it: one process at a time, and never a fresh start in place of an error.
@Suite(.serialized) struct CheckpointTests {
    @Test func `a second process with the same checkpoint exits 74 and names the lock`()
        async throws
    {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try stage.configure()
            let first = try stage.start("run")
            try await wait { try stage.checkpoint() != nil }
            for command in ["run", "replay"] {
                let second = try await stage.run(command)
                #expect(second.code == 74)
                #expect(
                    second.log.contains("another process holds \(stage.checkpointFolder)/test.lock")
                )
            }
            // The first one is not disturbed.
            try await table.put(0..<10)
            try await stage.waitForCache(try await table.items())
            try await first.stop()
        }
    }

    /// What may be wrong with a file.
    enum Damage: CaseIterable {
        case bitFlipped, cutOff, empty, foreign, otherName, newerVersion, unreadable
    }

    @Test(arguments: Damage.allCases)
    func `a checkpoint that can't be used is an error with the way out, and stays as it is`(
        damage: Damage
    ) async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            #expect(try await stage.run("replay").code == 0)
            let path = URL(filePath: "\(stage.checkpointFolder)/test.checkpoint.json")
            var bytes = try Data(contentsOf: path)
            switch damage {
            case .bitFlipped: bytes[bytes.count / 2] ^= 1
            case .cutOff: bytes = bytes.prefix(bytes.count - 10)
            case .empty: bytes = Data()
            case .foreign: bytes = Data(#"{"some":"thing"}"#.utf8)
            case .otherName:
                bytes = Data(Checkpoint(name: "other", savedAt: 1).encoded())
            case .newerVersion: bytes = newerVersion(of: bytes)
            case .unreadable: break
            }
            if damage == .unreadable {
                try FileManager.default.removeItem(at: path)
                try FileManager.default.createDirectory(
                    at: path, withIntermediateDirectories: false)
            } else {
                try bytes.write(to: path)
            }
            for command in ["run", "replay", "status", "check"] {
                let result = try await stage.run(command)
                let words = result.log + result.output
                #expect(result.code == 74, "\(command): \(words)")
                #expect(words.contains("test.checkpoint.json"), "\(words)")
                #expect(words.lowercased().contains("try: "), "\(words)")
            }
            if damage != .unreadable { #expect(try Data(contentsOf: path) == bytes) }
        }
    }

    /// The same checkpoint as a later program might write it: another version, with the right checksum.
    private func newerVersion(of bytes: Data) -> Data {
        let text = String(decoding: bytes, as: UTF8.self)
            .replacing("\"version\":1,", with: "\"version\":2,", maxReplacements: 1)
        guard let end = text.firstRange(of: "crc32:")?.upperBound else { return Data() }
        let rest = text[text.index(end, offsetBy: 8)...]
        let hex = String(CRC32.checksum(Array(rest.utf8)), radix: 16)
        let padded = String(repeating: "0", count: 8 - hex.count) + hex
        return Data((text[..<end] + padded + rest).utf8)
    }

    /// Directories that nothing can be saved in, whoever tries.
    @Test(arguments: ["/dev/null", "/proc", "/sys", "/nonexistent/shardwalk"])
    func `a directory that can't be used is named`(directory: String) async throws {
        try await withStage { stage, _ in
            try await stage.table().create()
            try stage.configure(["checkpoint": #"{"directory": "\#(directory)"}"#])
            let run = try await stage.run("run")
            #expect(run.code == 74, "\(run.log)")
            #expect(run.log.contains("the checkpoint can't be used: "))
            #expect(run.log.contains(directory) && run.log.contains("\nTry: "))
        }
    }

    @Test func `a save that fails is told, and the walk goes on until it works again`()
        async throws
    {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await wait { try stage.checkpoint()?.streams.isEmpty == false }
            // The new file can't be made where a folder of its name is.
            let obstacle = "\(stage.checkpointFolder)/test.checkpoint.json.new"
            try FileManager.default.createDirectory(
                atPath: obstacle, withIntermediateDirectories: false)
            try await table.put(10..<20)
            try await daemon.waitForLog("the checkpoint could not be saved; the walk goes on")
            try await stage.waitForCache(try await table.items())
            let old = try stage.checkpoint()
            #expect(try stage.checkpoint() == old)
            try FileManager.default.removeItem(atPath: obstacle)
            try await wait { try stage.checkpoint() != old }
            try await daemon.stop()
        }
    }

    @Test func `a stop that can't be recorded is an error`() async throws {
        try await withStage { stage, _ in
            try await stage.table().create()
            try stage.configure()
            let daemon = try stage.start("run")
            try await wait { try stage.checkpoint()?.streams.isEmpty == false }
            try FileManager.default.removeItem(atPath: stage.checkpointFolder)
            daemon.signal(SIGTERM)
            #expect(try await daemon.exitCode() == 74)
            #expect(daemon.log.contains("\nTry: "))
        }
    }
}
