/// The lines of a profile file: sections with keys and values, and one level of keys below a key.
///
/// Read as botocore reads them with Python's `configparser`: `=` or `:` ends a key, whichever comes first; keys
/// are lower-cased; a line that starts with `#` or `;` is a comment, while one inside a value belongs to it,
/// since a secret may hold `#`; a line that is further indented than its key's goes on with the value. A
/// value that begins on the line after its key is a table of keys of its own. Unlike there a section
/// or a key may come twice: the later one wins, with a warning. Scalars are looked at, as in Python: a blank or
/// a sign with an accent after it is one character.
struct ProfileSyntax {
    /// The name between the brackets with the keys below it.
    struct Section {
        /// What stands between the brackets, without blanks at its ends.
        let name: String
        /// The keys of all sections of this name.
        var keys = ProfileFiles.Keys()
    }

    /// The sections in the order of their first lines.
    private(set) var sections: [Section] = []
    /// What was read although it is odd.
    private(set) var warnings: [String] = []

    private let file: String
    /// The place of the section that lines belong to, once there is one.
    private var current: Int?
    private var entry: Entry?

    /// A key whose value may go on.
    private struct Entry {
        let key: String
        let line: Int
        let indent: Int
        var value: [Substring]
    }

    /// Reads the text of `file`, whose name is for messages.
    init(_ text: String, file: String) throws(SettingsError) {
        self.file = file
        let lines = text.split(omittingEmptySubsequences: false) {
            $0 == "\n" || $0 == "\r\n" || $0 == "\r"
        }
        for (index, line) in lines.enumerated() { try read(line, number: index + 1) }
        try finishEntry()
    }

    private mutating func read(_ line: Substring, number: Int) throws(SettingsError) {
        let text = line.trimmingBlanks()
        let first = text.unicodeScalars.first
        if first == "#" || first == ";" { return }
        let indent = line.unicodeScalars.prefix { $0.properties.isWhitespace }.count
        if let open = entry, text.isEmpty || indent > open.indent {
            entry?.value.append(text)
            return
        }
        guard !text.isEmpty else { return }
        try finishEntry()
        if first == "[", let end = text.unicodeScalars.lastIndex(of: "]") {
            let name = Substring(text.unicodeScalars[..<end].dropFirst())
            open(String(name.trimmingBlanks()), line: number)
            return
        }
        guard let (key, value) = text.parted(at: ["=", ":"]), first != "=", first != ":"
        else { throw fault("is neither a section, a key with its value nor a comment", at: number) }
        guard current != nil else { throw fault("comes before the first [section]", at: number) }
        entry = Entry(
            key: key.lowercased(), line: number, indent: indent, value: [value])
    }

    private mutating func open(_ name: String, line: Int) {
        if let known = sections.firstIndex(where: { $0.name == name }) {
            warnings.append("\(file): line \(line) repeats the section [\(name)]; both are merged")
            current = known
        } else {
            sections.append(Section(name: name))
            current = sections.count - 1
        }
    }

    private mutating func finishEntry() throws(SettingsError) {
        guard var finished = entry, let current else { return }
        entry = nil
        while finished.value.count > 1, finished.value.last == "" { finished.value.removeLast() }
        let key = finished.key
        if sections[current].keys.values[key] != nil || sections[current].keys.tables[key] != nil {
            warnings.append(
                "\(file): line \(finished.line) repeats the key \(key); the later one counts")
        }
        if finished.value.count > 1, finished.value[0].isEmpty {
            sections[current].keys.values[key] = nil
            sections[current].keys.tables[key] = try table(finished)
        } else {
            sections[current].keys.tables[key] = nil
            sections[current].keys.values[key] = finished.value.joined(separator: "\n")
        }
    }

    private func table(_ entry: Entry) throws(SettingsError) -> [String: String] {
        var table: [String: String] = [:]
        for line in entry.value where !line.isEmpty {
            guard let (key, value) = line.parted(at: ["="]) else {
                throw fault("begins a table of which one line has no =", at: entry.line)
            }
            table[key.lowercased()] = String(value)
        }
        return table
    }

    /// The content of the line is not told: it may be a secret.
    private func fault(_ words: String, at line: Int) -> SettingsError {
        SettingsError(
            "\(file) cannot be read: line \(line) \(words)", remedy: "correct the line")
    }
}

extension Substring {
    /// The text without white space at its ends.
    fileprivate func trimmingBlanks() -> Substring {
        var text = unicodeScalars
        while text.first?.properties.isWhitespace == true { text.removeFirst() }
        while text.last?.properties.isWhitespace == true { text.removeLast() }
        return Substring(text)
    }

    /// What is before and after the first of some signs, without white space at its ends.
    fileprivate func parted(at signs: [Unicode.Scalar]) -> (key: Substring, value: Substring)? {
        guard let place = unicodeScalars.firstIndex(where: signs.contains) else { return nil }
        let value = Substring(unicodeScalars[place...].dropFirst())
        return (Substring(unicodeScalars[..<place]).trimmingBlanks(), value.trimmingBlanks())
    }
}
