/// Writes JSON the way `JSON.stringify(JSON.parse(text))` does.
///
/// - Compact, and escaped as `JSONString.appendCanonical` says.
/// - The members of an object in the order in which JavaScript keeps them: names that are array indices
///   (0 to 4294967294, without leading zeros) first, by number, then the others in the order in which they
///   first appear. Of several members with one name the last value stays, in the place of the first.
///   `__proto__` is a name like any other.
/// - Numbers as `JSONNumber` says. DynamoDB's own JSON has none: it writes them as strings.
///
/// Source: ECMA-262, JSON.parse, JSON.stringify and OrdinaryOwnPropertyKeys.
///
/// This is the slow way, for text that `CanonicalForm` did not recognise: the value becomes a tree. Time
/// is linear in the text but for sorting the names of an object, memory a small multiple of it, and the
/// recursion ends at the cursor's limit of depth.
struct CanonicalJSON {
    private enum Node {
        /// A finished string, number or literal, among the texts.
        case scalar(ByteRange)
        case array([Node])
        case object([Member])
    }

    private struct Member {
        /// The name, canonical and between its quotes, among the texts.
        let name: ByteRange
        /// The name as an array index.
        let index: UInt32?
        var value: Node
    }

    private var texts: [UInt8] = []

    /// Appends the value at `range`, in canonical form.
    ///
    /// - Throws: `MalformedJSON` where there is no JSON in UTF-8; part of it may have been appended.
    static func append(
        _ range: ByteRange, of bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]
    ) throws(MalformedJSON) {
        var writer = CanonicalJSON()
        writer.texts.reserveCapacity(range.count)
        var cursor = JSONCursor(bytes, at: range)
        do {
            let root = try writer.read(&cursor)
            writer.write(root, to: &output)
        } catch {
            throw MalformedJSON(error, at: cursor.offset)
        }
    }

    private mutating func read(_ cursor: inout JSONCursor) throws(MalformedJSON.Problem) -> Node {
        let start = texts.count
        switch try cursor.peek() {
        case UInt8(ascii: "{"):
            var members: [Member] = []
            try cursor.forEachMember { cursor, name throws(MalformedJSON.Problem) in
                let start = texts.count
                try cursor.append(canonical: name, to: &texts)
                let range = ByteRange(start, texts.count)
                members.append(
                    Member(name: range, index: index(range), value: try read(&cursor)))
            }
            return .object(ordered(members))
        case UInt8(ascii: "["):
            var elements: [Node] = []
            try cursor.forEachElement { cursor throws(MalformedJSON.Problem) in
                elements.append(try read(&cursor))
            }
            return .array(elements)
        case UInt8(ascii: "\""):
            try cursor.append(canonical: try cursor.string(), to: &texts)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            JSONNumber.append(try cursor.value(), of: cursor.bytes, to: &texts)
        default:
            texts.append(contentsOf: cursor.bytes[try cursor.value().indices])
        }
        return .scalar(ByteRange(start, texts.count))
    }

    /// The name as an array index, if it is one.
    private func index(_ name: ByteRange) -> UInt32? {
        let digits = texts[(name.start + 1)..<(name.end - 1)]
        guard (1...10).contains(digits.count),
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { return nil }
        var number: UInt64 = 0
        for digit in digits {
            guard digit &- UInt8(ascii: "0") < 10 else { return nil }
            number = number * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        return number < UInt64(UInt32.max) ? UInt32(number) : nil
    }

    /// The members as JavaScript keeps them.
    private func ordered(_ members: [Member]) -> [Member] {
        guard members.count > 1 else { return members }
        let byName = members.indices.sorted { left, right in
            let (a, b) = (texts[members[left].name.indices], texts[members[right].name.indices])
            return a.lexicographicallyPrecedes(b) || left < right && a == b
        }
        var kept: [Member?] = members
        var first = byName[0]
        for next in byName.dropFirst() {
            if texts[members[next].name.indices] == texts[members[first].name.indices] {
                kept[first]?.value = members[next].value
                kept[next] = nil
            } else {
                first = next
            }
        }
        let all = kept.compactMap { $0 }
        let indices = all.filter { $0.index != nil }.sorted { ($0.index ?? 0) < ($1.index ?? 0) }
        return indices.isEmpty ? all : indices + all.filter { $0.index == nil }
    }

    private func write(_ node: Node, to output: inout [UInt8]) {
        switch node {
        case .scalar(let range):
            output.append(contentsOf: texts[range.indices])
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (place, element) in elements.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                write(element, to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let members):
            output.append(UInt8(ascii: "{"))
            for (place, member) in members.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                output.append(contentsOf: texts[member.name.indices])
                output.append(UInt8(ascii: ":"))
                write(member.value, to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }
}
