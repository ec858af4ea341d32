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
        /// How many records a shard takes before it is closed; nil for any number.
        package var rolloverRecords: Int?
        /// How many bytes of keys and images a shard takes before it is closed; nil for any number.
        package var rolloverBytes: Int?
        /// The share of the shards that split, instead of rolling over, when they are closed: 0...1.
        ///
        /// A stream splits up to four times as many open shards as it began with.
        package var splitShare: Double
        /// How many children a split gives, 2...16.
        package var splitChildren: Int
        /// The share of the other shards that are closed without a child, as where capacity shrinks: 0...1.
        ///
        /// One is opened when a key of the shard is written to again, and never if none is.
        package var leafShare: Double
        /// How many of the emulator's seconds pass in one real second.
        ///
        /// Shard names, creation times, retention and the life of iterators go by the emulator's clock; with a
        /// `rolloverEvery` of 3 s, a speed of 4,800 makes three seconds the four hours of AWS, and an
        /// iterator then lives for less than a fifth of a second.
        package var speed: Double
        /// How long records are kept, by the emulator's clock.
        package var retention: Duration
        /// The most empty pages of one empty stretch: before a shard's first record, after its last one, and
        /// before one record in 32.
        package var emptyPagesMax: Int
        /// How long DescribeStream may be behind, by the emulator's clock: a child comes into sight up to this
        /// much after it was opened, and a closed shard is listed as open for up to this much.
        package var listingDelayMax: Duration
        /// How long a shard may still be listed that is too old to be read, by the emulator's clock.
        package var lateListingMax: Duration
        /// How long it may take until a record can be read, by the emulator's clock; half the retention at the most.
        package var recordDelayMax: Duration
        /// How long a stream is ENABLING, without shards in sight, and DISABLING, by the emulator's clock.
        package var transition: Duration
        /// How many calls are served in a second.
        package var limits: Limits
        /// What DescribeStream makes of a filter.
        package var shardFilter: ShardFilterSupport
        /// How the names in a `userIdentity` are written.
        package var identityCasing: IdentityCasing
        /// What goes wrong.
        package var faults: Faults
        /// Decides on everything that happens by chance: names, numbers, and when shards roll over.
        package var seed: UInt64
        /// The keys that requests have to be signed with.
        package var credentials: Credentials
        /// Whether signatures are checked.
        package var checksSignatures: Bool

        /// A configuration like AWS's where nothing else is said.
        package init(
            port: UInt16 = 0, region: String = "us-east-1", partitions: Int = 4,
            rolloverEvery: Duration? = nil, rolloverRecords: Int? = nil, rolloverBytes: Int? = nil,
            splitShare: Double = 0, splitChildren: Int = 2, leafShare: Double = 0,
            speed: Double = 1,
            retention: Duration = .seconds(24 * 60 * 60), emptyPagesMax: Int = 1,
            listingDelayMax: Duration = .zero, lateListingMax: Duration = .zero,
            recordDelayMax: Duration = .zero, transition: Duration = .zero,
            limits: Limits = Limits(),
            shardFilter: ShardFilterSupport = .served, identityCasing: IdentityCasing = .capital,
            faults: Faults = .none, seed: UInt64 = 1,
            credentials: Credentials = Credentials(
                accessKeyID: "LOCALSTREAMS", secretAccessKey: "local-secret"),
            checksSignatures: Bool = true
        ) {
            precondition(partitions > 0 && speed > 0 && emptyPagesMax >= 0)
            precondition((rolloverRecords ?? 1) > 0 && (rolloverBytes ?? 1) > 0)
            precondition((2...16).contains(splitChildren))
            precondition((0...1).contains(splitShare) && (0...1).contains(leafShare))
            precondition(
                recordDelayMax <= retention / 2, "records are read before they are trimmed")
            self.port = port
            self.region = region
            self.partitions = partitions
            self.rolloverEvery = rolloverEvery
            self.rolloverRecords = rolloverRecords
            self.rolloverBytes = rolloverBytes
            self.splitShare = splitShare
            self.splitChildren = splitChildren
            self.leafShare = leafShare
            self.speed = speed
            self.retention = retention
            self.emptyPagesMax = emptyPagesMax
            self.listingDelayMax = listingDelayMax
            self.lateListingMax = lateListingMax
            self.recordDelayMax = recordDelayMax
            self.transition = transition
            self.limits = limits
            self.shardFilter = shardFilter
            self.identityCasing = identityCasing
            self.faults = faults
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
                    rolloverInterval: interval, shardRecordsMax: rolloverRecords,
                    shardBytesMax: rolloverBytes, splitShare: splitShare,
                    splitChildren: splitChildren, leafShare: leafShare,
                    retention: retention.milliseconds,
                    emptyPagesMax: emptyPagesMax,
                    listingDelayMax: listingDelayMax.milliseconds,
                    lateListingMax: lateListingMax.milliseconds,
                    recordDelayMax: recordDelayMax.milliseconds,
                    transition: transition.milliseconds),
                costs: limits.costs(speed: speed), shardFilter: shardFilter,
                identityCasing: identityCasing)
        }
    }

    /// How many calls are served in one second of real time, with as many at once after a pause.
    package struct Limits: Hashable, Sendable {
        /// DescribeStream calls of the whole account; nil for any number.
        package var describeStream: Int?
        /// ListStreams calls of the whole account; nil for any number.
        package var listStreams: Int?
        /// GetRecords calls of each shard; nil for any number.
        ///
        /// AWS publishes no such limit; about 5 are reported.
        package var getRecords: Int?

        /// AWS's published limits, and none on reading shards, where nothing else is said.
        package init(describeStream: Int? = 10, listStreams: Int? = 5, getRecords: Int? = nil) {
            let limits = [describeStream, listStreams, getRecords]
            precondition(limits.allSatisfy { $0.map { $0 > 0 } ?? true })
            self.describeStream = describeStream
            self.listStreams = listStreams
            self.getRecords = getRecords
        }

        /// Every call is served.
        package static let none = Limits(describeStream: nil, listStreams: nil)

        /// The costs in the service's time, which runs `speed` times as fast.
        func costs(speed: Double) -> Service.CallCosts {
            Service.CallCosts(
                describeStream: Self.cost(describeStream, speed),
                listStreams: Self.cost(listStreams, speed),
                getRecords: Self.cost(getRecords, speed))
        }

        private static func cost(_ limit: Int?, _ speed: Double) -> Service.CallCost? {
            limit.map { Service.CallCost(interval: 1_000 * speed / Double($0), burst: $0) }
        }
    }

    /// How records of expired items name the members of their `userIdentity`.
    package enum IdentityCasing: String, CaseIterable, Sendable {
        /// `PrincipalId` and `Type`, as the service's model has it.
        case capital
        /// `principalId` and `type`, as the Developer Guide and Lambda have it.
        case small
        /// Now one, now the other.
        case either
    }

    /// What DescribeStream makes of a `ShardFilter`.
    package enum ShardFilterSupport: String, CaseIterable, Sendable {
        /// The children of a shard are listed, as AWS does.
        case served
        /// All shards are listed, as by services that do not know the filter.
        case ignored
        /// The request is refused, as by endpoints with an older model.
        case refused
    }
}
