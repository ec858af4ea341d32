import Foundation

/// A line of the log, as a machine reads it.
enum LogLine {
    /// The levels that lines may have.
    private static let levels = [
        "trace", "debug", "info", "notice", "warning", "error", "critical",
    ]

    /// What the program says when it ends with an error; this is not part of the log.
    private static let lastWords = ["Error: ", "Try: ", "second signal: ", "  "]

    /// Whether a line has the form that it should have, in JSON or as text.
    static func isWellFormed(_ line: some StringProtocol) -> Bool {
        if lastWords.contains(where: line.hasPrefix) { return true }
        if line.hasPrefix("{") {
            guard let members = members(of: line) else { return false }
            return isTime(members["time"] ?? "") && levels.contains(members["level"] ?? "")
                && members["message"]?.isEmpty == false
        }
        let words = line.split(separator: " ", maxSplits: 2)
        return words.count == 3 && isTime(String(words[0])) && levels.contains(String(words[1]))
    }

    /// The members of a line in JSON; nil where it is something else.
    static func members(of line: some StringProtocol) -> [String: String]? {
        try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
    }

    private static func isTime(_ text: String) -> Bool {
        text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil
    }
}
