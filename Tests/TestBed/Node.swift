package import Foundation

/// The JavaScript interpreter that tests use for oracles.
package enum Node {
    /// Runs a script with `input` on its standard input and returns its standard output.
    ///
    /// The script lies beside the file that calls. It fails with a `TestBedError` that holds its last words.
    package static func run(
        _ script: String, input: Data, caller: String = #filePath
    ) async throws -> Data {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["node", Python.path(of: script, beside: caller)]
        return try await Python.output(
            of: process, script, input: input, advice: "(needed: node on the path)")
    }
}
