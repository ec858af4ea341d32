import FoundationEssentials

/// A value of a JSON text.
enum JSONValue: Decodable, Equatable {
    case null, bool(Bool), number(Double), string(String), array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    /// What kind of value this is, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// Reads an object of the configuration key by key and collects everything that is wrong with it.
///
/// `null` stands for a key that is not given. What was not asked for by the end is unknown.
final class ConfigReader {
    /// What is wrong, each with its path in the file.
    private(set) var problems: [String] = []

    private let path: String
    private var values: [String: JSONValue]
    private var known: [String] = []

    /// A reader of the object at `path`, which is empty for the whole file.
    init(_ values: [String: JSONValue], path: String = "") {
        self.path = path
        self.values = values
    }

    /// A text, or nil when it is not given.
    func string(_ key: String) -> String? {
        switch take(key) {
        case nil: return nil
        case .string(let text): return text
        case let other?:
            wrong(key, "is \(other.kind): give a text")
            return nil
        }
    }

    /// One of a few words.
    func word<Word: RawRepresentable & CaseIterable>(
        _ key: String, default standard: Word
    ) -> Word where Word.RawValue == String {
        guard let text = string(key) else { return standard }
        if let word = Word(rawValue: text) { return word }
        let words = Word.allCases.map(\.rawValue)
        wrong(
            key,
            "is \"\(Self.short(text))\": give \(words.joined(separator: " or "))\(Self.hint(text, among: words))"
        )
        return standard
    }

    /// A whole number between two bounds.
    func integer(_ key: String, in bounds: ClosedRange<Int>, default standard: Int) -> Int {
        switch take(key) {
        case nil: return standard
        case .number(let number):
            if let whole = Int(exactly: number), bounds.contains(whole) { return whole }
            let text = Int(exactly: number).map(String.init) ?? "\(number)"
            wrong(
                key,
                "is \(text): give a whole number from \(bounds.lowerBound) to \(bounds.upperBound)")
        case let other?: wrong(key, "is \(other.kind): give a whole number")
        }
        return standard
    }

    /// True or false.
    func flag(_ key: String, default standard: Bool = false) -> Bool {
        switch take(key) {
        case nil: return standard
        case .bool(let flag): return flag
        case let other?:
            wrong(key, "is \(other.kind): give true or false")
            return standard
        }
    }

    /// An object inside this one; an empty one when it is not given.
    func section<Value>(_ key: String, _ read: (ConfigReader) -> Value) -> Value {
        var values: [String: JSONValue] = [:]
        switch take(key) {
        case nil: break
        case .object(let object): values = object
        case let other?: wrong(key, "is \(other.kind): give an object")
        }
        return nested(values, at: path(of: key), read)
    }

    /// A list of objects.
    func list<Value>(_ key: String, _ read: (ConfigReader) -> Value) -> [Value] {
        switch take(key) {
        case nil: return []
        case .array(let items):
            return items.enumerated().compactMap { index, item in
                let itemPath = "\(path(of: key))[\(index)]"
                guard case .object(let values) = item else {
                    problems.append("\(itemPath) is \(item.kind): give an object")
                    return nil
                }
                return nested(values, at: itemPath, read)
            }
        case let other?:
            wrong(key, "is \(other.kind): give a list")
            return []
        }
    }

    /// Notes that something is wrong with a key.
    func wrong(_ key: String, _ what: String) { problems.append("\(path(of: key)) \(what)") }

    /// Notes that something is wrong with the object itself.
    func wrong(_ what: String) { problems.append("\(path.isEmpty ? "the file" : path) \(what)") }

    /// Ends the reading: whatever was not asked for is a mistake.
    func finish() {
        for key in values.keys.sorted() {
            let hint = Self.hint(key, among: known)
            problems.append(
                "\(path(of: Self.short(key))) is not a key\(hint.isEmpty ? " that shardwalk knows" : hint)"
            )
        }
    }

    private func nested<Value>(
        _ values: [String: JSONValue], at path: String, _ read: (ConfigReader) -> Value
    ) -> Value {
        let reader = ConfigReader(values, path: path)
        let value = read(reader)
        reader.finish()
        problems += reader.problems
        return value
    }

    private func take(_ key: String) -> JSONValue? {
        known.append(key)
        let value = values.removeValue(forKey: key)
        return value == .null ? nil : value
    }

    private func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// A text that stays one line of a message, whatever is in it.
    private static func short(_ text: String) -> String {
        let line = text.unicodeScalars.prefix(60).map {
            $0.properties.generalCategory == .control ? "?" : $0
        }
        return String(String.UnicodeScalarView(line))
            + (text.unicodeScalars.count > 60 ? "..." : "")
    }

    /// A question after the nearest word, or nothing when none is near.
    private static func hint(_ text: String, among words: [String]) -> String {
        guard text.utf8.count <= 60 else { return "" }
        let near = words.map { (word: $0, distance: distance($0.lowercased(), text.lowercased())) }
            .min { $0.distance < $1.distance }
        guard let near, near.distance <= max(2, text.count / 3) else { return "" }
        return "; did you mean \(near.word)?"
    }

    /// How many letters have to be changed, added or removed to make one text of the other.
    static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let above = row[column + 1]
                row[column + 1] = min(
                    diagonal + (letter == right[column] ? 0 : 1), above + 1, row[column] + 1)
                diagonal = above
            }
        }
        return row[right.count]
    }
}
