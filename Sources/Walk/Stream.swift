package import Records

/// The name of a stream: `arn:<partition>:dynamodb:<region>:<account>:table/<table>/stream/<label>`.
///
/// The label is a time and holds colons itself, so only the first five colons separate.
package struct StreamARN: Hashable, Sendable, CustomStringConvertible {
    /// The whole name.
    package let description: String
    /// The partition, such as `aws` or `aws-cn`.
    package let partition: String
    /// The region that the stream lives in, such as `us-east-1`.
    package let region: String
    /// The table that the stream belongs to.
    package let table: String
    /// When the stream was switched on, as the service writes it, such as `2015-05-11T21:21:33.291`.
    package let label: String

    /// Takes a name apart, or returns nil where `text` is not a stream's name.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", !parts[1].isEmpty, parts[2] == "dynamodb",
            !parts[3].isEmpty
        else { return nil }
        let path = parts[5].split(separator: "/", omittingEmptySubsequences: false)
        guard path.count == 4, path[0] == "table", path[2] == "stream", !path[1].isEmpty,
            !path[3].isEmpty
        else { return nil }
        description = text
        partition = String(parts[1])
        region = String(parts[3])
        table = String(path[1])
        label = String(path[3])
    }
}

/// The name of a shard, such as `shardId-00000001414562045508-2bac9cd2`.
///
/// Text order is creation order.
package struct ShardID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The name as the service gives it.
    package let description: String

    /// The shard that the service calls `text`.
    package init(_ text: String) { description = text }

    /// When the shard was created, in seconds since 1970, or nil where the name does not say.
    ///
    /// The form of the name is not documented (observed: 20 digits of milliseconds), so a name that does not
    /// have it is of unknown age rather than an error.
    package var creationTime: Double? {
        let parts = description.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "shardId", parts[1].utf8.count == 20,
            let milliseconds = UInt64(parts[1])
        else { return nil }
        return Double(milliseconds) / 1_000
    }

    package static func < (left: ShardID, right: ShardID) -> Bool {
        left.description < right.description
    }
}

/// A shard as DescribeStream lists it.
package struct Shard: Hashable, Sendable {
    /// The shard's name.
    package let id: ShardID
    /// The shard that it continues; nil for a first shard.
    ///
    /// The parent may be listed no more.
    package let parent: ShardID?
    /// Where its records begin; the number need not be that of a record.
    package let start: SequenceNumber?
    /// Where its records end; nil while the shard is open, or listed by a page that is behind.
    package let end: SequenceNumber?

    /// A shard with its place in the lineage.
    package init(
        id: ShardID, parent: ShardID? = nil, start: SequenceNumber? = nil,
        end: SequenceNumber? = nil
    ) {
        self.id = id
        self.parent = parent
        self.start = start
        self.end = end
    }
}

/// What a stream's records carry beside the keys.
package enum StreamViewType: String, Sendable {
    /// Nothing but the keys.
    case keysOnly = "KEYS_ONLY"
    /// The item after the change.
    case newImage = "NEW_IMAGE"
    /// The item before the change.
    case oldImage = "OLD_IMAGE"
    /// The item before and after the change.
    case newAndOldImages = "NEW_AND_OLD_IMAGES"

    /// Whether records of inserts and changes hold the item after the change.
    package var hasNewImage: Bool { self == .newImage || self == .newAndOldImages }
}

/// Whether a stream still grows.
package enum StreamStatus: String, Sendable {
    /// Being switched on; no shards are listed yet.
    case enabling = "ENABLING"
    /// Growing.
    case enabled = "ENABLED"
    /// Being switched off.
    case disabling = "DISABLING"
    /// Switched off: readable for 24 hours, no shard has children to come.
    case disabled = "DISABLED"
}

/// One page of DescribeStream.
package struct StreamDescription: Sendable {
    /// Whether the stream still grows.
    package let status: StreamStatus
    /// What its records carry; nil where the service does not say.
    package let viewType: StreamViewType?
    /// The names of the table's key attributes, partition key first.
    package let keyAttributes: [String]
    /// The shards of this page, as they were when it was made.
    package let shards: [Shard]
    /// Where the next page begins; nil on the last one.
    package let lastEvaluated: ShardID?

    /// A page with its shards.
    package init(
        status: StreamStatus, viewType: StreamViewType? = nil, keyAttributes: [String] = [],
        shards: [Shard], lastEvaluated: ShardID? = nil
    ) {
        self.status = status
        self.viewType = viewType
        self.keyAttributes = keyAttributes
        self.shards = shards
        self.lastEvaluated = lastEvaluated
    }
}
