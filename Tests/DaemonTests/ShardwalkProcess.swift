import Foundation
import Synchronization
import TestBed

/// The real binary, run with a configuration of its own.
final class ShardwalkProcess: Sendable {
    private let process: Process
    private let errorPath: String
    private let outputPath: String
    private let errorStart: Int
    private let outputStart: Int

    /// What this process has written to standard error: its log.
    var log: String { Self.text(at: errorPath, from: errorStart) }

    /// What this process has written to standard output.
    var output: String { Self.text(at: outputPath, from: outputStart) }

    /// The process's number.
    var id: Int32 { process.processIdentifier }

    /// Whether the process has not ended yet.
    var isRunning: Bool { process.isRunning }

    /// The exit code of a process that has ended; a signal counts as 128 and its number.
    var endedWith: Int32? {
        guard !process.isRunning else { return nil }
        return process.terminationReason == .exit
            ? process.terminationStatus : 128 + process.terminationStatus
    }

    /// The binary, which lies beside the tests' own in debug and in release builds.
    static let binary: URL = {
        let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        let products = own.deletingLastPathComponent()
        let bundled = Bundle(for: Anchor.self).bundleURL.deletingLastPathComponent()
        // The tests are run by a program of the toolchain, or are a program themselves.
        return [products, bundled].map { $0.appending(path: "shardwalk") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
            ?? products.appending(path: "shardwalk")
    }()

    private final class Anchor {}

    /// Starts `shardwalk <arguments>` with an environment and nothing else in it.
    ///
    /// Standard error is added to the file `log` in a folder, standard output to the file `output`.
    init(
        _ arguments: [String], environment: [String: String], in folder: TemporaryDirectory
    ) throws {
        errorPath = folder.path("log")
        outputPath = folder.path("output")
        errorStart = Self.text(at: errorPath).utf8.count
        outputStart = Self.text(at: outputPath).utf8.count
        process = Process()
        process.executableURL = Self.binary
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = URL(filePath: folder.path)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try Self.appending(to: outputPath)
        process.standardError = try Self.appending(to: errorPath)
        try Self.run(process)
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// Sends a signal.
    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits until the process has ended, and returns its exit code; a signal counts as 128 and its number.
    func exitCode() async throws -> Int32 {
        do {
            try await wait(atMost: 60) { !process.isRunning }
        } catch {
            throw TestBedError("shardwalk does not end; its log:\n\(log.suffix(3_000))")
        }
        return endedWith ?? -1
    }

    /// Waits until the log holds a text.
    func waitForLog(_ text: String, times: Int = 1) async throws {
        do {
            try await wait(atMost: 60) { [self] in
                if log.components(separatedBy: text).count > times { return true }
                if !process.isRunning { throw TestBedError("shardwalk has ended") }
                return false
            }
        } catch {
            throw TestBedError("no \"\(text)\" in the log (\(error)):\n\(log.suffix(3_000))")
        }
    }

    /// Runs to the end and returns exit code, standard output and standard error.
    static func run(
        _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (code: Int32, output: String, log: String) {
        let folder = try TemporaryDirectory()
        let process = try ShardwalkProcess(arguments, environment: environment, in: folder)
        let code = try await process.exitCode()
        return (code, process.output, process.log)
    }

    /// Starts the process with no signal blocked.
    ///
    /// The threads of the concurrency pool block all signals, and a child inherits that.
    static func run(_ process: Process) throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    private static func appending(to path: String) throws -> FileHandle {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TestBedError("cannot write to \(path)") }
        return FileHandle(fileDescriptor: file, closeOnDealloc: true)
    }

    private static func text(at path: String, from start: Int = 0) -> String {
        let bytes = (try? Data(contentsOf: URL(filePath: path))) ?? Data()
        return String(decoding: bytes.dropFirst(start), as: UTF8.self)
    }
}
