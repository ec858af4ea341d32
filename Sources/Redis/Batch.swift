import Records
import Walk

/// The changes of a page on their way to one server, and the step that they make: one transaction, or plain commands where
/// no positions are held.
///
/// This is the one type that knows where keys live: that all of them, and the positions, are on this server.
struct Batch: Sendable {
    /// What becomes of the cache.
    let changes: ChangeSet
    /// The step, with the hash that it is noted in.
    let step: (step: Step, hash: PositionHash)?

    /// How many keys are changed by one command: serverless caches take less than 4,000 arguments.
    static let keysAtOnce = 1_000
    /// What the transaction takes beside the changes, in bytes, at the most.
    private static let frameBytesMax = 1_024
    /// What the framing of a key and its value takes, in bytes, at the most.
    private static let framingBytesMax = 48

    /// The names of the commands, in their order.
    var commands: [String] {
        var names = step == nil ? [] : ["MULTI", "HGET"]
        for start in stride(from: 0, to: changes.count, by: Self.keysAtOnce) {
            let part = changes.changes[start..<min(start + Self.keysAtOnce, changes.count)]
            let removed = part.count { $0.value == .removed }
            if removed < part.count { names.append("MSET") }
            if removed > 0 { names.append("DEL") }
        }
        return names + (step == nil ? [] : ["HSET", "EXEC"])
    }

    /// About how many bytes the commands have, at the most.
    var byteCountMax: Int {
        changes.changes.reduce(Self.frameBytesMax) { sum, change in
            let value =
                switch change.value {
                case .removed: 0
                case .page(let range), .owned(let range): range.count
                }
            return sum + change.key.count + value + Self.framingBytesMax
        }
    }

    /// Adds the commands.
    func append(to buffer: inout CommandBuffer) {
        if let (step, hash) = step {
            buffer.append(["MULTI"])
            buffer.append(["HGET", hash.key, step.shard.description])
        }
        for start in stride(from: 0, to: changes.count, by: Self.keysAtOnce) {
            buffer.append(changes, in: start..<min(start + Self.keysAtOnce, changes.count))
        }
        if let (step, hash) = step, let position = step.to.cached {
            buffer.append(["HSET", hash.key, step.shard.description, position])
            buffer.append(["EXEC"])
        }
    }

    /// Why the step was not made from where it believes the shard to be, or the batch not carried out whole; nil if all is
    /// well.
    ///
    /// - Parameter replies: one for each command, none of them a refusal.
    /// - Throws: `unavailable` if the replies can't be those of the commands: the two sides have lost count.
    func objection(to replies: [Reply]) throws(SinkError) -> SinkError? {
        let names = commands
        guard let (step, hash) = step else {
            for (name, reply) in zip(names, replies) where !reply.isAcknowledgement(of: name) {
                throw Self.mismatch
            }
            return nil
        }
        guard case .array(let results)? = replies.last, results.count == names.count - 2 else {
            throw Self.mismatch
        }
        for reply in replies.dropLast() {
            guard case .status = reply else { throw Self.mismatch }
        }
        for (name, result) in zip(names.dropFirst(), results).dropFirst()
        where !result.isAcknowledgement(of: name) {
            guard case .error(let error) = result else { throw Self.mismatch }
            return error.sinkError(for: name)
        }
        if case .error(let error) = results[0] { return error.sinkError(for: names[1]) }
        let found = results[0].text
        if found.flatMap(Position.init(cached:)) == (step.from.hasBegun ? step.from : nil) {
            return nil
        }
        guard let found else {
            return SinkError(
                .outdated, "Redis has lost the position of \(step.shard), which was written there")
        }
        return Self.foreign(
            "\(hash.key) has \(found.line(bytesMax: 60)) for \(step.shard), where this shardwalk wrote \(step.from.cached ?? "nothing")"
        )
    }

    /// The refusal where somebody else writes the positions.
    static func foreign(_ proof: String) -> SinkError {
        SinkError(
            .foreign,
            "another shardwalk applies this stream to this Redis under the same name (\(proof)): stop one of them, or give it another name"
        )
    }

    private static var mismatch: SinkError {
        SinkError(.unavailable, "the server's replies do not match the commands")
    }
}

extension Reply {
    /// Whether this is how a command that was carried out is answered.
    fileprivate func isAcknowledgement(of command: String) -> Bool {
        switch self {
        case .status: command == "MSET"
        case .integer: command != "MSET"
        case .bytes, .null, .array, .error: false
        }
    }
}
