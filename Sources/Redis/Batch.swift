import Records
import Walk

/// The changes of a page on their way to one server, and the step that they make: one transaction, or plain commands where
/// no positions are held.
///
/// This is the one type that knows where keys live: that all of them are on the server that has the positions.
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

    /// How many commands these are, at the most.
    var commandCountMax: Int {
        2 * ((changes.count + Self.keysAtOnce - 1) / Self.keysAtOnce) + (step == nil ? 0 : 4)
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

    /// Adds the commands, and returns their names.
    func append(to buffer: inout CommandBuffer) -> [String] {
        var names: [String] = []
        if let (step, hash) = step {
            names += ["MULTI", "HGET"]
            buffer.append(["MULTI"])
            buffer.append(["HGET", hash.key, step.shard.description])
        }
        for start in stride(from: 0, to: changes.count, by: Self.keysAtOnce) {
            names += buffer.append(
                changes, in: start..<min(start + Self.keysAtOnce, changes.count))
        }
        if let (step, hash) = step, let position = step.to.cached {
            names += ["HSET", "EXEC"]
            buffer.append(["HSET", hash.key, step.shard.description, position])
            buffer.append(["EXEC"])
        }
        return names
    }

    /// What is wrong with a batch whose commands were all taken.
    enum Objection {
        /// It was carried out, but not from where the step believes the shard to be.
        case misplaced(SinkError)
        /// A part of it was refused while the transaction was carried out, which does not undo the rest.
        case torn(SinkError)
    }

    /// What is wrong with the outcome; nil if all is well.
    ///
    /// - Parameters:
    ///   - replies: one for each command, none of them a refusal.
    ///   - names: the commands.
    /// - Returns: the first thing that is wrong.
    /// - Throws: `unavailable` if the replies can't be those of the commands: the two sides have lost count.
    func objection(to replies: [Reply], of names: [String]) throws(SinkError) -> Objection? {
        guard let (step, hash) = step else {
            for (name, reply) in zip(names, replies) where !reply.isAcknowledgement(of: name) {
                throw Reply.mismatch
            }
            return nil
        }
        guard case .array(let results)? = replies.last, results.count == names.count - 2 else {
            throw Reply.mismatch
        }
        for reply in replies.dropLast() {
            guard case .status = reply else { throw Reply.mismatch }
        }
        for (name, result) in zip(names.dropFirst(), results) {
            if case .error(let error) = result { return .torn(error.sinkError(for: name)) }
            guard name == "HGET" || result.isAcknowledgement(of: name) else { throw Reply.mismatch }
        }
        let found = results[0].text
        if found.flatMap(Position.init(cached:)) == (step.from.hasBegun ? step.from : nil) {
            return nil
        }
        guard let found else {
            return .misplaced(
                SinkError(
                    .outdated,
                    "Redis has lost the position of \(step.shard), which was written there"))
        }
        return .misplaced(
            Self.foreign(
                "\(hash.key) has \(found.line(bytesMax: 60)) for \(step.shard), where this shardwalk wrote \(step.from.cached ?? "nothing")"
            ))
    }

    /// The refusal where somebody else writes the positions.
    static func foreign(_ proof: String) -> SinkError {
        SinkError(
            .foreign,
            "another shardwalk applies this stream to this Redis under the same name (\(proof)): stop one of them, or give it another name"
        )
    }
}

extension Reply {
    /// The failure where replies can't be those of the commands.
    static var mismatch: SinkError {
        SinkError(.unavailable, "the server's replies do not match the commands")
    }

    /// Whether this is how a command that was carried out is answered.
    fileprivate func isAcknowledgement(of command: String) -> Bool {
        switch self {
        case .status: command == "MSET"
        case .integer: command != "MSET"
        case .bytes, .null, .array, .error: false
        }
    }
}
