import Records
import Walk

/// The moment at which the tests of values happen, in seconds since 1970.
let now = 1_700_000_000.0
/// An hour in seconds.
let hour = 3_600.0

/// The name of a shard that was created so many hours before ``now``; `mark` tells apart those of one moment.
func shardID(_ hoursAgo: Double, _ mark: Int = 0) -> ShardID {
    let digits = String(Int(((now - hoursAgo * hour) * 1_000).rounded()))
    let padded = String(repeating: "0", count: 20 - digits.count) + digits
    let hex = String(mark, radix: 16)
    return ShardID("shardId-\(padded)-\(String(repeating: "0", count: 8 - hex.count) + hex)")
}

/// A sequence number of the usual length, which grows with `place`.
func number(_ place: Int) -> SequenceNumber {
    guard let number = SequenceNumber("\(place)00000000000000000499659") else {
        preconditionFailure("a number of digits")
    }
    return number
}

/// A shard that begins at the number 1 and, if it is closed, ends at 9.
func shard(_ id: ShardID, parent: ShardID? = nil, closed: Bool = false) -> Shard {
    Shard(id: id, parent: parent, start: number(1), end: closed ? number(9) : nil)
}

/// The stream of all tests of values.
let stream: StreamARN = {
    let text = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
    guard let stream = StreamARN(text) else { preconditionFailure("a stream's name") }
    return stream
}()

extension ShardTree {
    /// Takes the ready shards and returns their names.
    mutating func take() -> [ShardID] { takeReady().map(\.shard.id).sorted() }

    /// A new stream, under a clock that is the service's.
    init(_ listing: [Shard], at start: StartPosition, time: Double) {
        self.init(listing, at: start, time: time, isServiceTime: true)
    }

    /// A whole listing.
    @discardableResult
    mutating func list(_ shards: [Shard], time: Double = now) -> [ShardID] {
        _ = learn(shards, time: time)
        return completeListing(Set(shards.map(\.id)), time: time)
    }

    /// A whole listing, of a process that began at ``now``.
    mutating func completeListing(_ listed: Set<ShardID>, time: Double) -> [ShardID] {
        completeListing(listed, time: time, uptime: .seconds(time - now))
    }

    /// The tree after a restart of the process.
    var restarted: ShardTree {
        ShardTree(Checkpoint.Stream(beginning: beginning, shards: memory))
    }
}
