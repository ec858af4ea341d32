import Records

/// Writes the content of a checkpoint file: JSON with a member to a line, in the order of the names.
///
/// All shards are written at every save, a second after the one before: with thousands of them, this is written by hand
/// because it is most of what a save takes.
struct CheckpointWriter {
    /// What is written so far.
    private(set) var bytes: [UInt8] = []
    private var depth = 0
    private var isEmpty = true

    /// Writes a whole checkpoint.
    mutating func write(_ checkpoint: Checkpoint) {
        bytes.reserveCapacity(
            checkpoint.streams.values.reduce(1_024) { $0 + $1.shards.count * 300 })
        object { writer in
            writer.member("name", checkpoint.name)
            writer.member("savedAt", checkpoint.savedAt)
            writer.name("streams")
            writer.object { writer in
                for (arn, stream) in checkpoint.streams.sorted(by: {
                    $0.key.description < $1.key.description
                }) {
                    writer.name(arn.description)
                    writer.write(stream)
                }
            }
        }
    }

    private mutating func write(_ stream: Checkpoint.Stream) {
        object { writer in
            writer.name("beginning")
            writer.object { writer in
                writer.member("leftOutBefore", stream.beginning.leftOutBefore)
                writer.member("newestShardTime", stream.beginning.newestShardTime)
                writer.member("time", stream.beginning.time)
            }
            if stream.cached != .never {
                writer.name("cached")
                writer.raw(stream.cached == .current ? "true" : "false")
            }
            writer.name("drained")
            writer.raw(stream.isDrained ? "true" : "false")
            writer.name("gaps")
            writer.brackets("[", "]") { writer in
                for gap in stream.gaps {
                    writer.next()
                    writer.object { writer in
                        writer.member("noticedAt", gap.noticedAt)
                        writer.member("reason", gap.reason)
                        writer.member("shard", gap.shard)
                    }
                }
            }
            if !stream.lost.isEmpty {
                writer.shards("lost", stream.lost.mapValues { Checkpoint.Shard(position: $0) })
            }
            writer.shards("shards", stream.shards)
        }
    }

    private mutating func shards(_ name: String, _ shards: [ShardID: Checkpoint.Shard]) {
        self.name(name)
        object { writer in
            for (id, shard) in shards.sorted(by: { $0.key < $1.key }) {
                writer.name(id.description)
                writer.write(shard)
            }
        }
    }

    private mutating func write(_ shard: Checkpoint.Shard) {
        object { writer in
            writer.member("blocked", shard.blocked)
            writer.member("finishedAt", shard.finishedAt)
            writer.member("parent", shard.parent?.description)
            writer.member("position", shard.position.name)
            writer.member("recordTime", shard.recordTime)
            writer.member("sequenceNumber", shard.position.sequenceNumber?.digits)
            writer.member("timestamp", shard.position.timestamp)
        }
    }

    // MARK: JSON

    private mutating func object(_ members: (inout CheckpointWriter) -> Void) {
        brackets("{", "}", members)
    }

    private mutating func brackets(
        _ open: StaticString, _ close: StaticString, _ content: (inout CheckpointWriter) -> Void
    ) {
        raw(open)
        depth += 1
        isEmpty = true
        content(&self)
        depth -= 1
        if !isEmpty { line() }
        raw(close)
        isEmpty = false
    }

    /// Begins the next member or element.
    private mutating func next() {
        if !isEmpty { raw(",") }
        isEmpty = false
        line()
    }

    private mutating func line() {
        raw("\n")
        for _ in 0..<depth { raw("  ") }
    }

    private mutating func name(_ name: String) {
        next()
        string(name)
        raw(" : ")
    }

    /// A member, unless it is nil.
    private mutating func member(_ name: String, _ text: String?) {
        guard let text else { return }
        self.name(name)
        string(text)
    }

    /// A member, unless it is nil.
    private mutating func member(_ name: String, _ number: Double?) {
        guard let number else { return }
        precondition(number.isFinite, "a checkpoint of finite numbers is always JSON")
        self.name(name)
        let digits = number.description
        bytes.append(contentsOf: (digits.hasSuffix(".0") ? digits.dropLast(2) : digits[...]).utf8)
    }

    private mutating func string(_ text: String) {
        raw("\"")
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x5C }) {
            bytes.append(contentsOf: text.utf8)
        } else {
            for byte in text.utf8 { escape(byte) }
        }
        raw("\"")
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): raw("\\\"")
        case UInt8(ascii: "\\"): raw("\\\\")
        case ..<0x20:
            raw("\\u00")
            for digit in [byte >> 4, byte & 15] {
                bytes.append(contentsOf: String(digit, radix: 16).utf8)
            }
        default: bytes.append(byte)
        }
    }

    private mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }
}

extension Position {
    fileprivate var timestamp: Double? { if case .since(let time) = self { time } else { nil } }
}
