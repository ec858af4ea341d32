package import Foundation

/// A failure of the ground that a test stands on, in words that say what to do.
package struct TestBedError: Error, CustomStringConvertible {
    /// What failed.
    package let description: String

    /// A failure.
    package init(_ description: String) { self.description = description }
}

/// The Python interpreter that tests use for oracles and servers.
package enum Python {
    /// Runs a script with `input` on its standard input and returns its standard output.
    ///
    /// The script lies beside the file that calls. It fails with a `TestBedError` that holds its last words.
    package static func run(
        _ script: String, _ arguments: [String] = [], input: Data = Data(),
        caller: String = #filePath
    ) async throws -> Data {
        let process = process(path(of: script, beside: caller), arguments)
        return try await output(of: process, script, input: input, advice: advice)
    }

    /// Runs a process, not yet started, with `input` on its standard input and returns its standard output.
    ///
    /// It fails with a `TestBedError` that holds the last words of `script` and the advice.
    static func output(
        of process: Process, _ script: String, input: Data, advice: String
    ) async throws -> Data {
        // Files, not pipes: neither side can block the other.
        let directory = try TemporaryDirectory()
        try input.write(to: URL(filePath: directory.path("in")))
        let (output, errors) = (directory.path("out"), directory.path("err"))
        process.standardInput = try FileHandle(
            forReadingFrom: URL(filePath: directory.path("in")))
        process.standardOutput = try writing(output)
        process.standardError = try writing(errors)
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        guard status == 0 else {
            let words = String(decoding: try Data(contentsOf: URL(filePath: errors)), as: UTF8.self)
            throw TestBedError("\(script) ended with \(status): \(words.suffix(2_000)) \(advice)")
        }
        return try Data(contentsOf: URL(filePath: output))
    }

    /// A process, not yet started, that runs a script with the interpreter of `SHARDWALK_PYTHON`, else
    /// with the `python3` on the path.
    ///
    /// Scripts find the module `testbed`.
    static func process(_ script: String, _ arguments: [String]) -> Process {
        var environment = ProcessInfo.processInfo.environment
        environment["PYTHONPATH"] = path(of: "Python", beside: #filePath)
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            [environment["SHARDWALK_PYTHON"] ?? "python3", script] + arguments
        process.environment = environment
        return process
    }

    /// The path of a file in the folder of another one.
    static func path(of name: String, beside file: String) -> String {
        URL(filePath: file).deletingLastPathComponent().appending(path: name).path(
            percentEncoded: false)
    }

    /// What to do when a script does not run.
    static let advice =
        "(needed: Python 3 with boto3 and moto[server]; SHARDWALK_PYTHON may name the interpreter)"

    private static func writing(_ path: String) throws -> FileHandle {
        try Data().write(to: URL(filePath: path))
        return try FileHandle(forWritingTo: URL(filePath: path))
    }
}
