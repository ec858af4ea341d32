/// The body of a request: its members by name, with the service's answers to wrong types.
struct Input: Sendable {
    private var members: [Text: JSON] = [:]

    /// The members of `json`; a `null` counts as absent, of a name given twice the last counts.
    /// - Throws: `SerializationException` where `json` is no object.
    init(_ json: JSON) throws(ServiceError) {
        guard case .object(let members) = json else {
            throw .serialization("Unexpected value type in payload")
        }
        for member in members { self.members[member.name] = member.value }
        self.members = self.members.filter { $0.value != .null }
    }

    /// A member as it is.
    subscript(name: String) -> JSON? { members[Text(name)] }

    /// The names of all members.
    var names: [String] { members.keys.map(\.description) }

    /// Refuses members that this emulator knows of and does not serve.
    func refuse(_ names: String...) throws(ServiceError) {
        for name in names where self[name] != nil { throw .unsupported(name) }
    }

    /// A text.
    func string(_ name: String) throws(ServiceError) -> String? {
        switch self[name] {
        case nil: return nil
        case .string(let text): return text.description
        case let value?: throw Self.mismatch(value, "String")
        }
    }

    /// A whole number; what is written with a fraction loses it, as it does in the service.
    func integer(_ name: String) throws(ServiceError) -> Int? {
        switch self[name] {
        case nil: return nil
        case .number(let digits):
            let truncated = Double(digits).flatMap { Int(exactly: $0.rounded(.towardZero)) }
            guard let number = Int(digits) ?? truncated else {
                throw Self.mismatch(.number(digits), "Integer")
            }
            return number
        case let value?: throw Self.mismatch(value, "Integer")
        }
    }

    /// `true` or `false`.
    func bool(_ name: String) throws(ServiceError) -> Bool? {
        switch self[name] {
        case nil: return nil
        case .bool(let value): return value
        case let value?: throw Self.mismatch(value, "Boolean")
        }
    }

    /// A structure with members of its own.
    func structure(_ name: String) throws(ServiceError) -> Input? {
        switch self[name] {
        case nil: return nil
        case .object(let members)?: return try Input(.object(members))
        case let value?: throw Self.mismatch(value, "structure")
        }
    }

    /// A list.
    func list(_ name: String) throws(ServiceError) -> [JSON]? {
        switch self[name] {
        case nil: return nil
        case .array(let values): return values
        case let value?: throw Self.mismatch(value, "list")
        }
    }

    private static func mismatch(_ value: JSON, _ wanted: String) -> ServiceError {
        switch value {
        case .object:
            .serialization("Start of structure or map found where not expected.")
        case .array: .serialization("Start of list found where not expected.")
        case .number: .serialization("NUMBER_VALUE cannot be converted to \(wanted)")
        case .bool(let value):
            .serialization("\(value ? "TRUE" : "FALSE")_VALUE cannot be converted to \(wanted)")
        case .string, .null, .rendered:
            .serialization("STRING_VALUE cannot be converted to \(wanted)")
        }
    }
}

/// The bounds of a request's members, checked together: the service names every member that is out of them.
struct Constraints {
    private var violations: [String] = []

    /// No member is out of bounds yet.
    init() {}

    /// Notes that a member that must be there is absent.
    mutating func require(_ value: (some Any)?, _ name: String) {
        guard value == nil else { return }
        note("null", name, "Member must not be null")
    }

    /// Notes that a text is too short or too long.
    mutating func length(_ text: String?, _ name: String, _ bounds: ClosedRange<Int>) {
        guard let text else { return }
        let count = text.utf8.count
        if count < bounds.lowerBound {
            note(
                "'\(text)'", name,
                "Member must have length greater than or equal to \(bounds.lowerBound)")
        } else if count > bounds.upperBound {
            note(
                "'\(text)'", name,
                "Member must have length less than or equal to \(bounds.upperBound)")
        }
    }

    /// Notes that a list has too few or too many elements.
    mutating func count(_ count: Int?, _ name: String, _ bounds: ClosedRange<Int>) {
        guard let count, !bounds.contains(count) else { return }
        let isShort = count < bounds.lowerBound
        note(
            "'[\(count) elements]'", name,
            "Member must have length \(isShort ? "greater" : "less") than or equal to "
                + "\(isShort ? bounds.lowerBound : bounds.upperBound)")
    }

    /// Notes that a number is too small or too large.
    mutating func range(_ number: Int?, _ name: String, _ bounds: ClosedRange<Int>) {
        guard let number else { return }
        if number < bounds.lowerBound {
            note(
                "'\(number)'", name,
                "Member must have value greater than or equal to \(bounds.lowerBound)")
        } else if number > bounds.upperBound {
            note(
                "'\(number)'", name,
                "Member must have value less than or equal to \(bounds.upperBound)")
        }
    }

    /// Notes that a text is none of the words that are allowed.
    mutating func oneOf(_ text: String?, _ name: String, _ words: [String]) {
        guard let text, !words.contains(text) else { return }
        note(
            "'\(text)'", name,
            "Member must satisfy enum value set: [\(words.joined(separator: ", "))]")
    }

    /// Notes that a table's name has other characters than letters, digits, `_`, `-` and `.`.
    mutating func tableName(_ name: String?) {
        require(name, "tableName")
        guard let name else { return }
        length(name, "tableName", 3...255)
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
        if !isPlain {
            note(
                "'\(name)'", "tableName",
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
        }
    }

    /// Throws where anything was noted.
    func check() throws(ServiceError) {
        guard !violations.isEmpty else { return }
        let noun = violations.count == 1 ? "error" : "errors"
        throw .validation(
            "\(violations.count) validation \(noun) detected: "
                + violations.joined(separator: "; "))
    }

    /// Notes that a member breaks a rule.
    mutating func note(_ value: String, _ name: String, _ rule: String) {
        violations.append("Value \(value) at '\(name)' failed to satisfy constraint: \(rule)")
    }
}
