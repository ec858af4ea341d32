package import Records

/// What the cache itself holds of a stream's walk: the positions that its content stands for.
///
/// They are written together with the changes, so they are lost with them as well.
package struct CacheMemory: Equatable, Sendable {
    /// When the reading of the stream began, and where; nil where the cache holds no positions, or not all of them.
    package var beginning: Checkpoint.Beginning?
    /// The positions of the shards of which anything is applied.
    package var positions: [ShardID: Position]
    /// Which connection they were read over: only writes of the same era go on from them.
    package var era: Int
    /// Whether the cache is known to have made room for other keys by removing the positions, and not its content.
    package var isEvicted: Bool

    /// A cache's positions.
    package init(
        era: Int, beginning: Checkpoint.Beginning? = nil, positions: [ShardID: Position] = [:],
        isEvicted: Bool = false
    ) {
        self.era = era
        self.beginning = beginning
        self.positions = positions
        self.isEvicted = isEvicted
    }
}

/// One step of a shard, which the cache notes together with the changes that belong to it.
package struct Step: Equatable, Sendable {
    /// The stream that is walked.
    package let stream: StreamARN
    /// The shard that moves.
    package let shard: ShardID
    /// Where the shard stood; the cache has no position of a shard of which nothing is applied.
    package let from: Position
    /// Where it stands with these changes: after a record, or at its end.
    package let to: Position
    /// The era of the positions that `from` goes back to, see ``CacheMemory/era``.
    package let era: Int

    /// A step of a shard.
    package init(
        of shard: ShardID, in stream: StreamARN, from: Position, to: Position, era: Int
    ) {
        precondition(to.hasBegun, "the cache holds positions of what is applied")
        self.stream = stream
        self.shard = shard
        self.from = from
        self.to = to
        self.era = era
    }
}

/// What is done when the cache has lost all positions although the checkpoint has some: it was emptied.
package enum CacheLossPolicy: String, Sendable, CaseIterable {
    /// Everything that the stream still keeps is written again.
    case rewind
    /// The walk goes on where it was: what is lost stays away until it changes.
    case resume
    /// The walk ends: somebody decides.
    case stop
}

extension Position {
    /// The position as the cache holds it: the digits of a sequence number, or `SHARD_END`; nil where nothing is applied.
    package var cached: String? {
        switch self {
        case .trimHorizon, .start, .since: nil
        case .after(let number): number.digits
        case .end: name
        }
    }

    /// The position that a cache holds as `text`; nil where it is none.
    package init?(cached text: String) {
        if text == Position.end.name {
            self = .end
        } else if let number = SequenceNumber(text) {
            self = .after(number)
        } else {
            return nil
        }
    }

    /// Whether a record with this number is applied.
    package func covers(_ number: SequenceNumber) -> Bool {
        switch self {
        case .trimHorizon, .start, .since: false
        case .after(let last): number <= last
        case .end: true
        }
    }

    /// Whether more is applied than `other` says.
    package func isAhead(of other: Position) -> Bool {
        switch (self, other) {
        case (.trimHorizon, _), (.start, _), (.since, _), (_, .end): false
        case (.after(let mine), .after(let others)): others < mine
        case (.after, _), (.end, _): true
        }
    }
}
