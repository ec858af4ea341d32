/// How the name of a key in the cache is made of an item's key attributes: `user:{pk}:{sk}`.
///
/// Text stands for itself, `{name}` for the attribute's value, `{{` and `}}` for braces. A value of type S
/// gives its text, N the number and B the base64 text, both as the service writes them. Two items share
/// a key where the template leaves out a key attribute, or where values hold the text between two of them.
package struct KeyTemplate: Hashable, Sendable {
    private enum Part: Hashable, Sendable {
        case text([UInt8])
        case attribute(Name)
    }

    /// An attribute's name.
    ///
    /// Names are told apart byte by byte, as the service does.
    private struct Name: Hashable, Sendable {
        let bytes: [UInt8]
        var text: String { String(decoding: bytes, as: UTF8.self) }

        init(_ text: String) { bytes = Array(text.utf8) }
    }

    private var parts: [Part] = []

    /// The template that joins the values of `attributes` with colons.
    package init(joining attributes: [String]) {
        precondition(!attributes.isEmpty)
        for (place, name) in attributes.enumerated() {
            if place > 0 { parts.append(.text([UInt8(ascii: ":")])) }
            parts.append(.attribute(Name(name)))
        }
    }

    /// Reads a template such as `user:{pk}:{sk}`.
    ///
    /// - Throws: `InvalidKeyTemplate` where braces do not match, a name is empty, or no attribute is named.
    package init(_ text: String) throws(InvalidKeyTemplate) {
        var rest = text[...]
        var literal: [UInt8] = []
        while let first = rest.unicodeScalars.popFirst() {
            guard first == "{" || first == "}" else {
                literal.append(contentsOf: UTF8.encode(first) ?? UTF8.encodedReplacementCharacter)
                continue
            }
            if rest.unicodeScalars.first == first {
                rest.unicodeScalars.removeFirst()
                literal.append(UInt8(ascii: first))
                continue
            }
            let place = text.unicodeScalars.distance(from: text.startIndex, to: rest.startIndex)
            guard first == "{" else {
                throw InvalidKeyTemplate(
                    text, "the \"}\" at character \(place) closes nothing: write \"}}\" for a brace"
                )
            }
            let name = rest.unicodeScalars.prefix { $0 != "{" && $0 != "}" }
            rest.unicodeScalars.removeFirst(name.count)
            guard rest.unicodeScalars.popFirst() == "}" else {
                throw InvalidKeyTemplate(
                    text,
                    "the \"{\" at character \(place) is not closed: "
                        + "write \"}\" after the attribute's name, or \"{{\" for a brace")
            }
            guard !name.isEmpty else {
                throw InvalidKeyTemplate(
                    text, "the braces at character \(place) hold no attribute's name")
            }
            if !literal.isEmpty { parts.append(.text(literal)) }
            literal = []
            parts.append(.attribute(Name(String(name))))
        }
        if !literal.isEmpty { parts.append(.text(literal)) }
        guard !attributes.isEmpty else {
            throw InvalidKeyTemplate(
                text,
                "no attribute is named, so that all items would share one key: add one, like {id}")
        }
    }

    /// The names of the attributes that the template is made of, each once.
    package var attributes: [String] {
        var seen: Set<Name> = []
        return parts.compactMap {
            guard case .attribute(let name) = $0, seen.insert(name).inserted else { return nil }
            return name.text
        }
    }

    /// Checks that the template is made of a table's key attributes alone.
    ///
    /// - Throws: `InvalidKeyTemplate` that names the first attribute that is not one of `keyAttributes`.
    package func check(keyAttributes: [String]) throws(InvalidKeyTemplate) {
        let known = keyAttributes.map(Name.init)
        for attribute in attributes where !known.contains(Name(attribute)) {
            let names = keyAttributes.map { "{\($0)}" }.joined(separator: " and ")
            throw InvalidKeyTemplate(
                description,
                "{\(attribute)} is not a key attribute of the table: it has \(names)")
        }
    }

    /// Appends the key for an item.
    ///
    /// Half a surrogate pair becomes U+FFFD, as in Node's clients of Redis.
    ///
    /// - Parameters:
    ///   - keys: Where in `bytes` the record's object of key attributes is.
    ///   - bytes: The page.
    ///   - output: What the key is appended to; after a failure a part of it.
    /// - Throws: `MappingFailure.Problem` where an attribute is not there or not usable.
    func append(
        for keys: ByteRange, of bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]
    ) throws(MappingFailure.Problem) {
        for part in parts {
            switch part {
            case .text(let text):
                output.append(contentsOf: text)
            case .attribute(let name):
                var cursor = JSONCursor(bytes, at: keys)
                let value: KeyValue
                do {
                    value = try KeyValue(of: name.bytes, &cursor)
                    if case .text(let text) = value { try cursor.append(textOf: text, to: &output) }
                } catch {
                    throw .malformedKeys(MalformedJSON(error, at: cursor.offset))
                }
                switch value {
                case .text: break
                case .missing: throw .missingAttribute(name.text)
                case .otherType: throw .unusableAttribute(name.text)
                }
            }
        }
    }
}

/// What a record's object of key attributes says about one attribute.
private enum KeyValue {
    case missing
    /// There is a value, but not one text of type S, N or B.
    case otherType
    case text(JSONString)

    /// Looks for `attribute` in the object before which the cursor stands.
    init(of attribute: [UInt8], _ cursor: inout JSONCursor) throws(MalformedJSON.Problem) {
        var found = KeyValue.missing
        try cursor.forEachMember { cursor, name throws(MalformedJSON.Problem) in
            if cursor.isText(name, attribute) {
                found = try KeyValue(&cursor)
            } else {
                _ = try cursor.value()
            }
        }
        self = found
    }

    /// Reads `{"S":"text"}` and its like.
    private init(_ cursor: inout JSONCursor) throws(MalformedJSON.Problem) {
        guard try cursor.peek() == UInt8(ascii: "{") else {
            _ = try cursor.value()
            self = .otherType
            return
        }
        var found: KeyValue?
        try cursor.forEachMember { cursor, type throws(MalformedJSON.Problem) in
            let isText = try cursor.peek() == UInt8(ascii: "\"")
            let isScalar =
                cursor.isText(type, "S") || cursor.isText(type, "N") || cursor.isText(type, "B")
            if found == nil && isText && isScalar {
                found = .text(try cursor.string())
            } else {
                _ = try cursor.value()
                found = .otherType
            }
        }
        self = found ?? .otherType
    }
}

extension KeyTemplate: CustomStringConvertible {
    package var description: String { text { "{\($0)}" } }

    /// The template without the names of its attributes: two of one shape can make the same key.
    package var shape: String { text { _ in "{}" } }

    private func text(_ attribute: (String) -> String) -> String {
        parts.map { part in
            switch part {
            case .attribute(let name): return attribute(name.text)
            case .text(let text):
                // Byte by byte: a brace with an accent after it is another character.
                let isBrace: (UInt8) -> Bool = {
                    $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}")
                }
                let doubled = text.flatMap { Array(repeating: $0, count: isBrace($0) ? 2 : 1) }
                return String(decoding: doubled, as: UTF8.self)
            }
        }.joined()
    }
}

/// A key template that cannot be used.
package struct InvalidKeyTemplate: Error, CustomStringConvertible {
    /// The template and what is wrong with it.
    package let description: String

    fileprivate init(_ template: String, _ problem: String) {
        description = "key template \"\(template)\": \(problem)"
    }
}
