extension Stream {
    /// How the shards of a stream live.
    ///
    /// All times are the service's own, in milliseconds.
    struct Pace: Hashable, Sendable {
        /// How long a shard stays open, within a quarter more or less; nil for ever.
        var rolloverInterval: Int?
        /// How many records a shard takes before it is closed; nil for any number.
        var shardRecordsMax: Int?
        /// How many bytes of records a shard takes before it is closed, the last record being beyond them
        /// at the most; nil for any number.
        var shardBytesMax: Int?
        /// The share of the shards that split when they are closed.
        var splitShare = 0.0
        /// How many children a split gives.
        var splitChildren = 2
        /// The share of the other shards that are closed without a child.
        var leafShare = 0.0
        /// How long records are kept.
        var retention: Int
        /// The most empty pages of one empty stretch: before the first record, after the last one, and here
        /// and there between two.
        var emptyPagesMax: Int
        /// How long DescribeStream may be behind, for each shard's beginning and end on its own.
        var listingDelayMax: Int
        /// How long a shard may still be listed that is too old to be read, for each shard on its own.
        var lateListingMax = 0
        /// How long it may take until a record can be read, for each record on its own.
        var recordDelayMax = 0
        /// How long a stream is ENABLING, without shards in sight, and DISABLING.
        var transition = 0
    }
}
