import FoundationEssentials
import Glibc
import Logging

/// Writes one line per event to standard error: text for people, or JSON for machines.
///
/// Under systemd the line begins with the priority that the journal understands (sd-daemon(3)), and the journal
/// adds the time.
struct LineLog: LogHandler {
    /// The form of a line.
    enum Format: String, CaseIterable {
        /// `2026-01-02T03:04:05.678Z info shard opened shard=shardId-1`
        case text
        /// `{"time":"…","level":"info","message":"shard opened","shard":"shardId-1"}`
        case json
    }

    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let format: Format
    private let underJournal: Bool

    /// A log of a form; `underJournal` puts priorities before the lines.
    init(format: Format, level: Logger.Level, underJournal: Bool) {
        self.format = format
        logLevel = level
        self.underJournal = underJournal
    }

    /// The program's logger, as the configuration and the place where it runs ask for.
    ///
    /// systemd names the journal that standard error leads to in JOURNAL_STREAM (systemd.exec(5)).
    static func logger(_ config: Config, environment: [String: String]) -> Logger {
        Logger(label: "shardwalk") { _ in
            LineLog(
                format: config.logFormat, level: config.logLevel,
                underJournal: leadsToJournal(environment))
        }
    }

    /// Whether standard error is the journal's stream, which JOURNAL_STREAM names by device and inode.
    ///
    /// The variable alone says little: whatever a service starts inherits it, terminals included.
    static func leadsToJournal(_ environment: [String: String]) -> Bool {
        var status = stat()
        guard let stream = environment["JOURNAL_STREAM"], fstat(STDERR_FILENO, &status) == 0 else {
            return false
        }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        Terminal.write(
            Self.line(
                event.level, event.message.description, facts.map { ($0.key, "\($0.value)") },
                format: format, underJournal: underJournal, date: Date()), to: STDERR_FILENO)
    }

    /// Longer messages and values are cut, in Unicode scalars: no answer of a stranger fills the disk.
    private static let textLimit = 2_000

    /// The line of an event, its newline included.
    static func line(
        _ level: Logger.Level, _ message: String, _ facts: [(key: String, value: String)],
        format: Format, underJournal: Bool, date: Date
    ) -> String {
        let message = short(message)
        let facts = facts.map { (key: $0.key, value: short($0.value)) }
        let time = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let priority = underJournal ? "<\(journalPriority(level))>" : ""
        switch format {
        case .text:
            let stamp = underJournal ? "" : "\(time) "
            let facts = facts.map { " \($0.key)=\(quoted($0.value))" }.joined()
            return "\(priority)\(stamp)\(level) \(message)\(facts)\n"
        case .json:
            let members = [("time", time), ("level", "\(level)"), ("message", message)] + facts
            let text = members.map { "\(json($0.0)):\(json($0.1))" }.joined(separator: ",")
            return "\(priority){\(text)}\n"
        }
    }

    private static func journalPriority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func short(_ text: String) -> String {
        let scalars = text.unicodeScalars
        let end = scalars.index(
            scalars.startIndex, offsetBy: textLimit, limitedBy: scalars.endIndex)
        guard let end, end < scalars.endIndex else { return text }
        return String(scalars[..<end]) + "…"
    }

    /// A value that stays one word of one line, whatever is in it.
    private static func quoted(_ value: String) -> String {
        let isPlain =
            !value.isEmpty
            && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "\"") }
        return isPlain ? value : json(value)
    }

    private static func json(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
