import FoundationEssentials

/// A value of an attribute, as DynamoDB types it.
///
/// A value is kept in one canonical form, so that two values are the same exactly when their JSON is:
/// numbers are normalised, sets and maps sorted.
enum AttributeValue: Sendable {
    /// A text.
    case string(Text)
    /// A number.
    case number(Decimal)
    /// Bytes.
    case binary([UInt8])
    /// Texts without duplicates, sorted.
    case stringSet([Text])
    /// Numbers without duplicates, sorted.
    case numberSet([Decimal])
    /// Runs of bytes without duplicates, sorted.
    case binarySet([[UInt8]])
    /// Values of any kind.
    case list([AttributeValue])
    /// Values by name, sorted by name.
    case map([(name: Text, value: AttributeValue)])
    /// `true` or `false`.
    case bool(Bool)
    /// No value.
    case null

    /// How deep lists and maps may lie in each other.
    static let depthLimit = 32

    /// The service's name of the type, such as `S`.
    var type: String {
        switch self {
        case .string: "S"
        case .number: "N"
        case .binary: "B"
        case .stringSet: "SS"
        case .numberSet: "NS"
        case .binarySet: "BS"
        case .list: "L"
        case .map: "M"
        case .bool: "BOOL"
        case .null: "NULL"
        }
    }

    /// The bytes that count towards the size of an item.
    ///
    /// Source: DynamoDB Developer Guide, "DynamoDB item sizes and formats".
    var size: Int {
        switch self {
        case .string(let text): text.utf8.count
        case .number(let number): number.size
        case .binary(let bytes): bytes.count
        case .stringSet(let texts): texts.reduce(0) { $0 + $1.utf8.count }
        case .numberSet(let numbers): numbers.reduce(0) { $0 + $1.size }
        case .binarySet(let values): values.reduce(0) { $0 + $1.count }
        case .list(let values): values.reduce(3) { $0 + 1 + $1.size }
        case .map(let members): members.reduce(3) { $0 + 1 + $1.name.utf8.count + $1.value.size }
        case .bool, .null: 1
        }
    }

    /// The value as the service writes it, `{"S":"text"}`.
    var json: JSON {
        let content: JSON =
            switch self {
            case .string(let text): .string(text)
            case .number(let number): .string(number.text)
            case .binary(let bytes): Self.base64(bytes)
            case .stringSet(let texts): .array(texts.map { .string($0) })
            case .numberSet(let numbers): .array(numbers.map { .string($0.text) })
            case .binarySet(let values): .array(values.map(Self.base64))
            case .list(let values): .array(values.map(\.json))
            case .map(let members):
                .object(members.map { JSON.Member(name: $0.name, value: $0.value.json) })
            case .bool(let value): .bool(value)
            case .null: .bool(true)
            }
        return .object([JSON.Member(name: Text(type), value: content)])
    }

    private static func base64(_ bytes: [UInt8]) -> JSON {
        .text(Data(bytes).base64EncodedString())
    }
}

extension AttributeValue {
    /// Reads a value as a request has it, inside of `depth` lists and maps.
    ///
    /// - Throws: `ValidationException` or `SerializationException`, in the service's words.
    init(_ json: JSON, depth: Int = 0) throws(ServiceError) {
        guard case .object(let members) = json else {
            throw .serialization("Unexpected value type in payload")
        }
        let given = members.filter { $0.value != .null }
        guard let member = given.first else {
            throw .validation(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
            )
        }
        guard given.count == 1 else {
            throw .validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
                    + "the supported datatypes")
        }
        self = try Self.read(member, depth: depth)
    }

    private static func read(
        _ member: JSON.Member, depth: Int
    ) throws(ServiceError) -> AttributeValue {
        switch (member.name.description, member.value) {
        case ("S", .string(let text)): .string(text)
        case ("N", .string(let text)): .number(try number(text))
        case ("B", .string(let text)): .binary(try bytes(text))
        case ("SS", .array(let values)): .stringSet(try texts(values, "An string set").sorted())
        case ("NS", .array(let values)): .numberSet(try numbers(values))
        case ("BS", .array(let values)): .binarySet(try binaries(values))
        case ("L", .array(let values)): try list(values, depth: depth + 1)
        case ("M", .object(let members)): .map(try attributes(members, depth: depth + 1))
        case ("BOOL", .bool(let value)): .bool(value)
        case ("NULL", .bool(true)): .null
        case ("NULL", .bool(false)):
            throw .parameter("Null attribute value types must have the value of true")
        case ("S", _), ("N", _), ("B", _), ("SS", _), ("NS", _), ("BS", _), ("L", _), ("M", _),
            ("BOOL", _), ("NULL", _):
            throw .serialization("Unexpected value type in payload")
        default:
            throw .validation(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
            )
        }
    }

    /// Reads values by name, such as an item: sorted by name, of a name given twice the last.
    static func attributes(
        _ members: [JSON.Member], depth: Int
    ) throws(ServiceError) -> [(name: Text, value: AttributeValue)] {
        try checkDepth(depth)
        var values: [Text: AttributeValue] = [:]
        for member in members {
            values[member.name] = try AttributeValue(member.value, depth: depth)
        }
        return values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func list(
        _ values: [JSON], depth: Int
    ) throws(ServiceError) -> AttributeValue {
        try checkDepth(depth)
        var list: [AttributeValue] = []
        for value in values { list.append(try AttributeValue(value, depth: depth)) }
        return .list(list)
    }

    private static func checkDepth(_ depth: Int) throws(ServiceError) {
        guard depth > depthLimit else { return }
        throw .validation(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested "
                + "levels beyond supported limit")
    }

    private static func number(_ text: Text) throws(ServiceError) -> Decimal {
        do { return try Decimal(text) } catch { throw .validation(error.message) }
    }

    private static func bytes(_ text: Text) throws(ServiceError) -> [UInt8] {
        guard let data = Data(base64Encoded: text.description) else {
            throw .serialization("Invalid Base64")
        }
        return [UInt8](data)
    }

    private static func texts(
        _ values: [JSON], _ noun: String
    ) throws(ServiceError) -> [Text] {
        var texts: [Text] = []
        for value in values {
            guard case .string(let text) = value else {
                throw .serialization("Unexpected value type in payload")
            }
            texts.append(text)
        }
        guard !texts.isEmpty else { throw .parameter("\(noun)  may not be empty") }
        try checkDistinct(texts, texts)
        return texts
    }

    private static func numbers(_ values: [JSON]) throws(ServiceError) -> [Decimal] {
        let texts = try texts(values, "An number set")
        var numbers: [Decimal] = []
        for text in texts { numbers.append(try number(text)) }
        try checkDistinct(numbers, texts)
        return numbers.sorted { $0.sortKey.lexicographicallyPrecedes($1.sortKey) }
    }

    private static func binaries(_ values: [JSON]) throws(ServiceError) -> [[UInt8]] {
        guard !values.isEmpty else { throw .parameter("Binary sets should not be empty") }
        let texts = try texts(values, "Binary set")
        var binaries: [[UInt8]] = []
        for text in texts { binaries.append(try bytes(text)) }
        try checkDistinct(binaries, texts)
        return binaries.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private static func checkDistinct(
        _ values: [some Hashable], _ texts: [Text]
    ) throws(ServiceError) {
        guard Set(values).count < values.count else { return }
        let list = texts.map(\.description).joined(separator: ", ")
        throw .parameter("Input collection [\(list)] contains duplicates.")
    }
}
