import Foundation

/// A server written in Python, started for one test and ended with this object.
///
/// The script calls `testbed.serve` (see Python/testbed.py): it takes a free port of the loopback address,
/// says so on its standard output and ends when its standard input does, so that it outlives no test, not even
/// a crashed one.
package final class PythonServer: Sendable {
    /// The port that the server listens on.
    package let port: Int
    /// The server's address, `http://127.0.0.1:<port>`, without a slash at its end.
    package var url: String { "http://127.0.0.1:\(port)" }

    private let process: Process
    // Kept open: the server ends when it closes.
    private let input: Pipe

    /// Longer than any start takes on a busy machine.
    private static let startSeconds = 120.0

    /// Starts a server and returns when it accepts connections.
    ///
    /// - Parameters:
    ///   - script: the script's file name, beside the file that calls.
    ///   - arguments: what follows the script's name.
    ///   - caller: filled in by the compiler.
    /// - Throws: `TestBedError` when the script ends before it is ready.
    package init(
        _ script: String, _ arguments: [String] = [], caller: String = #filePath
    ) async throws {
        let process = Python.process(Python.path(of: script, beside: caller), arguments)
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let line = await Self.firstLine(of: output, from: process)
        guard let port = line.split(separator: " ").last.flatMap({ Int($0) }) else {
            process.terminate()
            throw TestBedError("\(script) did not start, see its words above \(Python.advice)")
        }
        self.port = port
        self.process = process
        self.input = input
    }

    /// Starts moto, an emulator of DynamoDB and its streams, with nothing in it.
    package static func moto() async throws -> PythonServer {
        try await PythonServer("Python/moto_service.py")
    }

    deinit { stop() }

    /// Ends the server at once, as a crash would.
    package func stop() {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    private static func firstLine(of pipe: Pipe, from process: Process) async -> String {
        let impatience = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(
            deadline: .now() + startSeconds, execute: impatience)
        defer { impatience.cancel() }
        // Reading blocks, so it has a thread that no task waits for.
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var line = Data()
                while !line.contains(UInt8(ascii: "\n")) {
                    let bytes = pipe.fileHandleForReading.availableData
                    guard !bytes.isEmpty else { break }
                    line += bytes
                }
                let text = String(decoding: line, as: UTF8.self)
                continuation.resume(returning: text.trimmingCharacters(in: .newlines))
            }
        }
    }
}
