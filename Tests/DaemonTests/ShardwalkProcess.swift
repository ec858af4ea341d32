import Foundation
import Synchronization
import TestBed

/// The real binary, run with a configuration of its own.
final class ShardwalkProcess: Sendable {
    /// What the binary has written so far.
    var log: String {
        (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
    }

    private let process: Process
    private let logPath: String

    /// The binary beside the tests' own.
    static var binary: URL {
        // The test bundle and the products lie in one folder, in debug and in release builds.
        Bundle(for: Anchor.self).bundleURL.deletingLastPathComponent().appending(path: "shardwalk")
    }

    private final class Anchor {}

    /// Starts `shardwalk <arguments>` with an environment and nothing else in it.
    init(
        _ arguments: [String], environment: [String: String] = [:], log: String
    ) throws {
        logPath = log
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let output = try FileHandle(forWritingTo: URL(filePath: log))
        try output.seekToEnd()
        process = Process()
        process.executableURL = Self.binary
        process.arguments = arguments
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// Sends a signal.
    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits until the process has ended, and returns its exit code; a signal counts as 128 and its number.
    func exitCode() async throws -> Int32 {
        try await wait(atMost: 90) { !process.isRunning }
        return process.terminationReason == .exit
            ? process.terminationStatus : 128 + process.terminationStatus
    }

    /// Runs to the end and returns exit code and output.
    static func run(
        _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (code: Int32, output: String) {
        let directory = try TemporaryDirectory()
        let process = try ShardwalkProcess(
            arguments, environment: environment, log: directory.path("log"))
        let code = try await process.exitCode()
        return (code, process.log)
    }
}
