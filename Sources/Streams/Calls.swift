import FoundationEssentials

/// Small bodies as JSON.
///
/// The service writes the names of members with a capital letter.
enum JSONBody {
    private struct Key: CodingKey {
        let stringValue: String
        let intValue: Int?

        init(stringValue: String) {
            self.stringValue = stringValue
            intValue = nil
        }

        init(intValue: Int) {
            stringValue = "\(intValue)"
            self.intValue = intValue
        }

        /// The name of the last member of a path, with another case of its first letter.
        init(_ path: [any CodingKey], _ change: (Character) -> String) {
            let name = path.last?.stringValue ?? ""
            self.init(stringValue: (name.first.map(change) ?? "") + name.dropFirst())
        }
    }

    /// The bytes of a body; members that are nil are left out, as the service wants it.
    static func encode(_ body: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        encoder.keyEncodingStrategy = .custom { Key($0) { $0.uppercased() } }
        guard let data = try? encoder.encode(body) else {
            preconditionFailure("texts and small numbers can always be written as JSON")
        }
        return Array(data)
    }

    /// Reads a body; members that are not known are passed over.
    static func decode<Body: Decodable>(_: Body.Type, from bytes: [UInt8]) throws -> Body {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { Key($0) { $0.lowercased() } }
        return try decoder.decode(Body.self, from: Data(bytes))
    }
}

/// The bodies of DescribeStream.
enum DescribeStream {
    struct Input: Encodable {
        let streamArn: String
        let limit: Int?
        let exclusiveStartShardId: String?
        let shardFilter: Filter?
    }

    struct Filter: Encodable {
        let type: String
        let shardId: String
    }

    struct Output: Decodable {
        let streamDescription: Description
    }

    struct Description: Decodable {
        let streamStatus: String
        let streamViewType: String?
        let keySchema: [KeySchemaElement]?
        let shards: [Shard]
        let lastEvaluatedShardId: String?
    }

    struct Shard: Decodable {
        let shardId: String
        let parentShardId: String?
        let sequenceNumberRange: Range?
    }

    struct Range: Decodable {
        let startingSequenceNumber: String?
        let endingSequenceNumber: String?
    }
}

/// The bodies of GetShardIterator.
enum GetShardIterator {
    struct Input: Encodable {
        let streamArn: String
        let shardId: String
        let shardIteratorType: String
        let sequenceNumber: String?
    }

    struct Output: Decodable {
        let shardIterator: String
    }
}

/// The body of GetRecords; its answer is read by `PageDecoder`.
enum GetRecords {
    struct Input: Encodable {
        let shardIterator: String
        let limit: Int
    }
}

/// The bodies of DescribeTable.
enum DescribeTable {
    struct Input: Encodable {
        let tableName: String
    }

    struct Output: Decodable {
        let table: Table
    }

    struct Table: Decodable {
        let keySchema: [KeySchemaElement]
        let latestStreamArn: String?
        let streamSpecification: StreamSpecification?
    }

    struct StreamSpecification: Decodable {
        let streamEnabled: Bool
        let streamViewType: String?
    }
}

/// A key attribute with its part in the key.
struct KeySchemaElement: Decodable {
    let attributeName: String
    /// `HASH` for the partition key, `RANGE` for the sort key.
    let keyType: String
}

extension [KeySchemaElement] {
    /// The names, partition key first.
    var names: [String] {
        filter { $0.keyType == "HASH" }.map(\.attributeName)
            + filter { $0.keyType != "HASH" }.map(\.attributeName)
    }
}
