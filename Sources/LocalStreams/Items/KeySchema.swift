/// What identifies an item of a table: one attribute, or two.
struct KeySchema: Hashable, Sendable {
    /// A key attribute.
    struct Attribute: Hashable, Sendable {
        /// The attribute's name.
        let name: Text
        /// `S`, `N` or `B`.
        let type: String
    }

    /// The attribute that decides on the partition.
    let partition: Attribute
    /// The attribute that orders the items of a partition key; nil where there is none.
    let sort: Attribute?

    /// The key attributes, partition key first.
    var attributes: [Attribute] { [partition] + (sort.map { [$0] } ?? []) }

    /// The schema as the service writes it.
    var json: JSON {
        .array(
            zip(attributes, ["HASH", "RANGE"]).map { attribute, kind in
                .members(["AttributeName": .string(attribute.name), "KeyType": .text(kind)])
            })
    }

    /// The attributes' types as the service writes them.
    var definitions: JSON {
        .array(
            attributes.map {
                .members(["AttributeName": .string($0.name), "AttributeType": .text($0.type)])
            })
    }
}

/// The key of an item, in bytes that sort as a Scan returns the items: by the hash of the partition key,
/// then by partition key, then by sort key.
struct ItemKey: Hashable, Comparable, Sendable {
    /// The bytes that are compared.
    private let bytes: [UInt8]
    /// The place of the partition key among all: it decides on partition and shard.
    let hash: UInt64
    /// The key attributes alone, as JSON.
    let json: [UInt8]
    /// The bytes of the key attributes towards sizes.
    let size: Int

    /// The key that `attributes` hold, all other attributes aside.
    /// - Throws: `ValidationException` where a key attribute is missing, empty, too long or of another type.
    init(
        _ attributes: [(name: Text, value: AttributeValue)], _ schema: KeySchema
    ) throws(ServiceError) {
        var parts: [(name: Text, value: AttributeValue)] = []
        for (attribute, limit) in zip(schema.attributes, [2_048, 1_024]) {
            guard let part = attributes.first(where: { $0.name == attribute.name }) else {
                throw .parameter("Missing the key \(attribute.name) in the item")
            }
            try Self.check(part.value, attribute, limit: limit)
            parts.append(part)
        }
        let partition = Self.sortable(parts[0].value)
        let hash = Self.hash(partition)
        self.hash = hash
        let place = withUnsafeBytes(of: hash.bigEndian, Array.init)
        let length = withUnsafeBytes(of: UInt32(partition.count).bigEndian, Array.init)
        bytes = place + length + partition + parts.dropFirst().flatMap { Self.sortable($0.value) }
        json = AttributeValue.map(parts.sorted { $0.name < $1.name }).attributesJSON
        size = parts.reduce(0) { $0 + $1.name.utf8.count + $1.value.size }
    }

    /// The key that a request gives where it has to give the key and nothing else.
    /// - Throws: `ValidationException` where anything is missing, superfluous or of another type.
    init(
        exactly attributes: [(name: Text, value: AttributeValue)], _ schema: KeySchema
    ) throws(ServiceError) {
        let types = Dictionary(uniqueKeysWithValues: attributes.map { ($0.name, $0.value.type) })
        let wanted = Dictionary(uniqueKeysWithValues: schema.attributes.map { ($0.name, $0.type) })
        guard types == wanted else {
            throw .validation("The provided key element does not match the schema")
        }
        try self.init(attributes, schema)
    }

    static func < (left: ItemKey, right: ItemKey) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    static func == (left: ItemKey, right: ItemKey) -> Bool { left.bytes == right.bytes }

    func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    private static func check(
        _ value: AttributeValue, _ attribute: KeySchema.Attribute, limit: Int
    ) throws(ServiceError) {
        guard value.type == attribute.type else {
            throw .parameter(
                "Type mismatch for key \(attribute.name) expected: \(attribute.type) "
                    + "actual: \(value.type)")
        }
        if case .number = value { return }
        guard value.size > 0 else {
            let noun = attribute.type == "S" ? "string" : "binary"
            throw .validation(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                    + "cannot contain an empty \(noun) value. Key: \(attribute.name)")
        }
        guard value.size <= limit else {
            throw .parameter(
                limit == 2_048
                    ? "Size of hashkey has exceeded the maximum size limit of2048 bytes"
                    : "Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
        }
    }

    private static func sortable(_ value: AttributeValue) -> [UInt8] {
        switch value {
        case .string(let text): text.utf8
        case .binary(let bytes): bytes
        case .number(let number): number.sortKey
        default: preconditionFailure("a key attribute is a text, a number or bytes")
        }
    }

    /// FNV-1a with a final mix, so that keys that differ in their last byte lie far from each other.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        let sum = bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        var generator = SeededGenerator(seed: sum)
        return generator.next()
    }
}

extension AttributeValue {
    /// A map's members as the service writes an item or a key: without the map's own type.
    var attributesJSON: [UInt8] {
        guard case .map(let members) = self else { preconditionFailure("only maps have members") }
        return JSON.object(members.map { JSON.Member(name: $0.name, value: $0.value.json) }).bytes
    }
}
