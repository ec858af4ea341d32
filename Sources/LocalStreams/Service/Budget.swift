/// How many calls are served in a second: a bucket that fills up evenly.
struct Budget: Hashable, Sendable {
    /// The time in milliseconds, with its fraction, when the bucket is full again.
    private var fullAt = 0.0

    /// A full bucket.
    init() {}

    /// Takes a call out of the bucket; false where it is empty.
    mutating func take(_ cost: Service.CallCost, at moment: Moment) -> Bool {
        let now = Double(moment.milliseconds)
        let full = max(fullAt, now) + cost.interval
        guard full - now <= cost.interval * Double(cost.burst) else { return false }
        fullAt = full
        return true
    }

    /// Whether nothing was taken out that has not come back.
    func isFull(at moment: Moment) -> Bool { fullAt <= Double(moment.milliseconds) }
}

extension Service {
    /// What calls of a kind cost.
    struct CallCost: Hashable, Sendable {
        /// The milliseconds of the service's time until the bucket has one call more.
        var interval: Double
        /// How many calls a full bucket holds.
        var burst: Int
    }

    /// What calls cost; nil where they are not counted.
    struct CallCosts: Hashable, Sendable {
        /// A DescribeStream, of the whole account.
        var describeStream: CallCost?
        /// A ListStreams, of the whole account.
        var listStreams: CallCost?
        /// A GetRecords, of one shard.
        var getRecords: CallCost?
    }

    /// What is left of the budgets.
    struct Budgets: Sendable {
        /// How many shards are remembered before those that nobody reads are forgotten for the first time.
        private static let readersMin = 10_000

        private var describeStream = Budget()
        private var listStreams = Budget()
        private var readers: [String: Budget] = [:]
        /// How many are remembered before that is done again.
        private var readersMax = Self.readersMin

        /// Full budgets.
        init() {}

        /// Takes a call of an operation on the account out of its budget.
        /// - Throws: `ThrottlingException`.
        mutating func take(
            _ operation: Operation, _ costs: CallCosts, at moment: Moment
        ) throws(ServiceError) {
            let isServed =
                switch operation {
                case .describeStream: Self.take(&describeStream, costs.describeStream, moment)
                case .listStreams: Self.take(&listStreams, costs.listStreams, moment)
                default: true
                }
            guard isServed else { throw .throttled }
        }

        /// Takes a GetRecords out of a shard's budget.
        /// - Throws: `LimitExceededException`.
        mutating func read(
            _ shard: String, _ costs: CallCosts, at moment: Moment
        ) throws(ServiceError) {
            guard costs.getRecords != nil else { return }
            if readers.count >= readersMax, readers[shard] == nil {
                readers = readers.filter { !$0.value.isFull(at: moment) }
                // Not at every call, where more shards than that are being read.
                readersMax = max(Self.readersMin, 2 * readers.count)
            }
            guard Self.take(&readers[shard, default: Budget()], costs.getRecords, moment) else {
                throw .tooManyReaders
            }
        }

        private static func take(
            _ budget: inout Budget, _ cost: CallCost?, _ moment: Moment
        ) -> Bool {
            cost.map { budget.take($0, at: moment) } ?? true
        }
    }
}
