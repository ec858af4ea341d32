package import Records

/// How far a shard has been applied, and so where reading goes on after a restart.
package enum Position: Hashable, Sendable {
    /// Nothing is applied: from the oldest record that the stream keeps.
    case trimHorizon
    /// Nothing is applied: from the shard's own start, so that a trimmed start shows as a gap.
    case start(SequenceNumber)
    /// Nothing is applied, and what was made before this time (seconds since 1970) is left out; nothing is where that is 0.
    ///
    /// This is how a shard that was opened at LATEST is remembered until its first record: opening it at
    /// LATEST again would skip what came in between.
    case since(Double)
    /// Everything up to this record, and this record, is applied.
    case after(SequenceNumber)
    /// The whole shard is applied.
    case end

    /// Whether something is applied: such a shard never waits for its parent again.
    package var hasBegun: Bool {
        switch self {
        case .trimHorizon, .start, .since: false
        case .after, .end: true
        }
    }

    /// The position's name in the words of GetShardIterator and of the checkpoint file.
    package var name: String {
        switch self {
        case .trimHorizon: "TRIM_HORIZON"
        case .start: "AT_SEQUENCE_NUMBER"
        case .since: "AT_TIMESTAMP"
        case .after: "AFTER_SEQUENCE_NUMBER"
        case .end: "SHARD_END"
        }
    }

    /// The sequence number that is part of the position, if one is.
    package var sequenceNumber: SequenceNumber? {
        switch self {
        case .start(let number), .after(let number): number
        case .trimHorizon, .since, .end: nil
        }
    }
}
