package import AWS

extension LocalStreams {
    /// What an emulator is like.
    package struct Configuration: Sendable {
        /// The port; 0 for one that is free.
        package var port: UInt16
        /// The region that requests are signed for and that names have.
        package var region: String
        /// How many open shards a new stream has.
        package var partitions: Int
        /// How long a shard stays open, in real time and within a quarter more or less; nil for ever.
        ///
        /// On AWS it is about four hours.
        package var rolloverEvery: Duration?
        /// How many of the emulator's seconds pass in one real second.
        ///
        /// Shard names, creation times, retention and the life of iterators go by the emulator's clock; with a
        /// `rolloverEvery` of 3 s, a speed of 4,800 makes three seconds the four hours of AWS, and an
        /// iterator then lives for less than a fifth of a second.
        package var speed: Double
        /// How long records are kept, by the emulator's clock.
        package var retention: Duration
        /// The most empty pages before a shard's first record and after its last one.
        package var emptyPagesMax: Int
        /// How long DescribeStream may be behind, by the emulator's clock: a child comes into sight up to this
        /// much after it was opened, and a closed shard is listed as open for up to this much.
        package var listingDelayMax: Duration
        /// Decides on everything that happens by chance: names, numbers, and when shards roll over.
        package var seed: UInt64
        /// The keys that requests have to be signed with.
        package var credentials: Credentials
        /// Whether signatures are checked.
        package var checksSignatures: Bool

        /// A configuration like AWS's where nothing else is said.
        package init(
            port: UInt16 = 0, region: String = "us-east-1", partitions: Int = 4,
            rolloverEvery: Duration? = nil, speed: Double = 1,
            retention: Duration = .seconds(24 * 60 * 60), emptyPagesMax: Int = 1,
            listingDelayMax: Duration = .zero, seed: UInt64 = 1,
            credentials: Credentials = Credentials(
                accessKeyID: "LOCALSTREAMS", secretAccessKey: "local-secret"),
            checksSignatures: Bool = true
        ) {
            precondition(partitions > 0 && speed > 0 && emptyPagesMax >= 0)
            self.port = port
            self.region = region
            self.partitions = partitions
            self.rolloverEvery = rolloverEvery
            self.speed = speed
            self.retention = retention
            self.emptyPagesMax = emptyPagesMax
            self.listingDelayMax = listingDelayMax
            self.seed = seed
            self.credentials = credentials
            self.checksSignatures = checksSignatures
        }

        /// What the service needs of it.
        var settings: Service.Settings {
            let interval = rolloverEvery.map {
                max(1, Int(Double($0.milliseconds) * speed))
            }
            return Service.Settings(
                region: region, account: "000000000000", partitions: partitions,
                pace: Stream.Pace(
                    rolloverInterval: interval, retention: retention.milliseconds,
                    emptyPagesMax: emptyPagesMax,
                    listingDelayMax: listingDelayMax.milliseconds))
        }
    }
}
