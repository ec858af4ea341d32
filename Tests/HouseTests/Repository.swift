import Foundation
import TestBed

/// The files of this repository, named by their paths below its top folder.
enum Repository {
    /// The top folder.
    static let top = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The full path of a file.
    static func path(_ name: String) -> String { top.appending(path: name).path }

    /// The text of a file.
    static func text(_ name: String) throws -> String {
        try String(contentsOf: top.appending(path: name), encoding: .utf8)
    }

    /// The names of all Swift files below a folder.
    static func swiftFiles(in folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path(folder))
            .filter { $0.hasSuffix(".swift") }.map { "\(folder)/\($0)" }.sorted()
    }

    /// The names of the files in a folder, without those in its folders.
    static func files(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path(folder)).sorted()
            .map { "\(folder)/\($0)" }
    }
}

/// A program that is run for its words.
struct Command {
    /// What it ended with.
    let status: Int32
    /// What it wrote to standard output and standard error.
    let output: String

    /// Runs a program, found on the path, and waits for its end.
    ///
    /// - Throws: `TestBedError` where there is no such program.
    init(_ words: String...) async throws {
        // A file, not a pipe, which would have to be read while the program runs.
        let directory = try TemporaryDirectory()
        let output = directory.path("output")
        try Data().write(to: URL(filePath: output))
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: output))
        process.standardError = process.standardOutput
        status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        // Source: env(1): 127 when the program is not found.
        guard status != 127 else {
            throw TestBedError("there is no program \(words[0]): deploy/test.sh installs it")
        }
        self.output = try String(contentsOf: URL(filePath: output), encoding: .utf8)
    }
}
