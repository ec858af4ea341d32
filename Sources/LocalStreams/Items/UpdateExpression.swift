/// What an UpdateItem does to the attributes of an item: `SET` to given values, and `REMOVE`.
///
/// Only whole attributes; paths into values, functions and sums are refused.
struct UpdateExpression: Sendable {
    /// The attributes that get a value.
    private(set) var values: [(name: Text, value: JSON)] = []
    /// The attributes that are removed.
    private(set) var removed: Set<Text> = []

    private struct Tokens {
        var rest: [String]

        mutating func next() -> String? { rest.isEmpty ? nil : rest.removeFirst() }

        mutating func take(_ token: String) -> Bool {
            guard rest.first == token else { return false }
            rest.removeFirst()
            return true
        }
    }

    /// Reads an expression with the names and values that it speaks of.
    /// - Throws: `ValidationException` for what is wrong, or not supported here.
    init(_ text: String, names: Input?, values: Input?) throws(ServiceError) {
        var tokens = Tokens(rest: try Self.tokens(text))
        var used: Set<String> = []
        while let clause = tokens.next() {
            guard ["SET", "REMOVE"].contains(clause.uppercased()) else {
                throw .unsupported("an UpdateExpression with \(clause)")
            }
            repeat {
                let name = try Self.attribute(tokens.next(), names, &used)
                guard !removed.contains(name), !self.values.contains(where: { $0.name == name })
                else {
                    throw Self.invalid(
                        "Two document paths overlap with each other; must remove or rewrite one of "
                            + "these paths; path one: [\(name)], path two: [\(name)]")
                }
                if clause.uppercased() == "REMOVE" {
                    removed.insert(name)
                    continue
                }
                guard tokens.take("="), let word = tokens.next(), word.hasPrefix(":") else {
                    throw .unsupported("an UpdateExpression that sets anything but a value")
                }
                guard let value = values?[word] else {
                    throw Self.invalid(
                        "An expression attribute value used in expression is not defined; "
                            + "attribute value: \(word)")
                }
                used.insert(word)
                self.values.append((name, value))
            } while tokens.take(",")
        }
        guard !used.isEmpty || !removed.isEmpty else {
            throw Self.invalid("The expression can not be empty;")
        }
        let unused = ((names?.names ?? []) + (values?.names ?? [])).filter { !used.contains($0) }
        guard unused.isEmpty else {
            throw .validation(
                "Value provided in ExpressionAttributeNames or ExpressionAttributeValues unused in "
                    + "expressions: keys: {\(unused.sorted().joined(separator: ", "))}")
        }
    }

    private static func attribute(
        _ word: String?, _ names: Input?, _ used: inout Set<String>
    ) throws(ServiceError) -> Text {
        guard let word, !word.hasPrefix(":"), word != "=", word != "," else {
            throw invalid("Syntax error; token: \"\(word ?? "<EOF>")\"")
        }
        guard word.hasPrefix("#") else { return Text(word) }
        guard let name = try names?.string(word) else {
            throw invalid(
                "An expression attribute name used in the document path is not defined; "
                    + "attribute name: \(word)")
        }
        used.insert(word)
        return Text(name)
    }

    private static func tokens(_ text: String) throws(ServiceError) -> [String] {
        var tokens: [String] = []
        var word = ""
        func isWord(_ character: Character) -> Bool {
            character.isLetter || character.isNumber || "_#:".contains(character)
        }
        for character in text + " " {
            if isWord(character) {
                word.append(character)
                continue
            }
            if !word.isEmpty { tokens.append(word) }
            word = ""
            if character == "=" || character == "," {
                tokens.append(String(character))
            } else if !character.isWhitespace {
                throw .unsupported("an UpdateExpression with \(character)")
            }
        }
        return tokens
    }

    private static func invalid(_ what: String) -> ServiceError {
        .validation("Invalid UpdateExpression: \(what)")
    }
}
