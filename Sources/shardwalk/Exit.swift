import ArgumentParser
import Glibc

/// The exit codes of the program, after sysexits.h; 0 is success, 64 a wrong command line.
enum Exit: Int32, CaseIterable {
    /// Cache and table differ at the end of the demo.
    case different = 1
    /// Some records can't be applied without somebody's help.
    case blocked = 65
    /// A service can't be reached: AWS, the stream or Redis.
    case unavailable = 69
    /// The checkpoint can't be read or written, or is in use.
    case storage = 74
    /// A replay was told to stop before its end.
    case interrupted = 75
    /// Credentials, a login or a permission are missing.
    case denied = 77
    /// The configuration is wrong.
    case configuration = 78
}

/// Why the program ends: what happened, and what to do.
struct Stop: Error, Sendable {
    /// The exit code.
    let exit: Exit
    /// What happened; never a secret.
    let reason: String
    /// What the user can do.
    let advice: String?

    /// An end with its reason.
    init(_ exit: Exit, _ reason: String, advice: String? = nil) {
        self.exit = exit
        self.reason = reason
        self.advice = advice
    }

    /// Writes the reason and the advice to standard error, as errors where that is the journal.
    func report(underJournal: Bool) {
        let text = "Error: \(reason)" + (advice.map { "\nTry: \($0)" } ?? "")
        for line in text.split(separator: "\n") {
            Terminal.error(underJournal ? "<3>\(line)" : String(line))
        }
    }
}

/// Standard output and standard error, unbuffered.
enum Terminal {
    /// Writes a line to standard output.
    static func print(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    /// Writes a line to standard error.
    static func error(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    /// Writes a text as it is; what can't be written (a closed pipe) is dropped.
    static func write(_ text: String, to file: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Whether a person looks at a descriptor.
    static func isTerminal(_ file: Int32) -> Bool { isatty(file) == 1 }
}
