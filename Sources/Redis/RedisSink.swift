// The walk's way into Redis. It promises that a batch counts as applied only when every one of its replies is
// in and none is a refusal, that a refusal is that of one batch alone, and that a server which is away,
// loading, full or read-only never loses or reorders anything: the batch fails, and the walk applies the same
// one again. It assumes that commands are safe to repeat, as MSET and DEL are, and that batches which are under
// way together touch different keys. It never retries, never drops a batch and never shows a value.
//
// Where positions are held, each batch and its position are one transaction, and batches that go back to positions
// which were read over an earlier connection are refused: the walk reads them again, from `RedisSink+Positions.swift`.

import Foundation
package import Logging
package import Records
import Synchronization
package import Walk

/// Writes batches to one Redis server, over one connection on a thread of its own.
package final class RedisSink: Sink {
    /// The daemon's name, under which positions are held; nil where none are.
    let positionsName: String?
    /// What is known of the hashes of positions.
    let known = Mutex(KnownPositions())
    private let inbox: Inbox

    /// Starts the thread, which connects at once and again whenever the connection is lost.
    ///
    /// - Throws: `unavailable` where the process has no descriptor left.
    package init(_ configuration: RedisConfiguration, logger: Logger) throws(SinkError) {
        guard let waker = Waker() else {
            throw SinkError(.unavailable, "no descriptor is left: raise the limit of open files")
        }
        let inbox = Inbox(waker: waker)
        self.inbox = inbox
        positionsName = configuration.positionsName
        let thread = Thread { Connection(configuration, inbox: inbox, logger: logger).run() }
        thread.name = "redis"
        thread.start()
    }

    deinit { inbox.close() }

    /// Writes all changes and the step, and returns when all of them are acknowledged.
    ///
    /// One attempt: it fails at once while the server cannot be reached, and in bounded time if that
    /// happens on the way.
    package func apply(_ changes: ChangeSet, _ step: Step?) async throws(SinkError) {
        guard changes.count > 0 || step != nil else { return }
        let noted = step.map { (step: $0, hash: hash(of: $0.stream)) }
        let answer: Job.Answer
        do throws(SinkError) {
            answer = try await self.answer(to: .batch(Batch(changes: changes, step: noted)))
        } catch {
            if error.kind == .full { await remove(changes, era: step?.era) }
            throw error
        }
        guard let reason = answer.torn else { return }
        if let step { try await takeBack(step) }
        throw reason
    }

    /// Removes what a batch removes, although the rest has to wait for memory: that is how there will be some.
    ///
    /// A transaction that needs memory is refused as a whole. It is tried again, so that nothing depends on this.
    private func remove(_ changes: ChangeSet, era: Int?) async {
        var buffer = CommandBuffer()
        for start in stride(from: 0, to: changes.count, by: Batch.keysAtOnce) {
            let part = changes.removals(in: start..<min(start + Batch.keysAtOnce, changes.count))
            if part.count > 0 { _ = buffer.append(part, in: 0..<part.count) }
        }
        guard buffer.count > 0 else { return }
        _ = try? await answer(to: .commands(buffer, era: era))
    }

    /// Takes back the step of a batch of which only a part was carried out: what is missing would never be written.
    private func takeBack(_ step: Step) async throws(SinkError) {
        let (key, field) = (hash(of: step.stream).key, step.shard.description)
        let command = step.from.cached.map { ["HSET", key, field, $0] } ?? ["HDEL", key, field]
        let answer = try await answer(to: .commands(CommandBuffer([command]), era: step.era))
        if case .error(let error) = answer.replies[0] { throw error.sinkError(for: command[0]) }
    }

    /// Sends at most 1,000 commands of any kind and returns their replies, refusals among them.
    package func replies(to commands: [[String]]) async throws(SinkError) -> [Reply] {
        precondition(commands.count <= CommandBuffer.countMax, "one pipeline's worth of commands")
        guard !commands.isEmpty else { return [] }
        return try await answer(to: .commands(CommandBuffer(commands), era: nil)).replies
    }

    /// Finishes the batches that have come in, closes the connection and ends the thread.
    ///
    /// Returns in bounded time: batches fail where the server is away, and an attempt to connect that is
    /// under way takes as long as its timeout and the resolver's.
    package func close() async {
        inbox.close()
        await inbox.waitForEnd()
    }

    /// Sends a job, and returns its answer.
    func answer(to content: Job.Content) async throws(SinkError) -> Job.Answer {
        let outcome = await withCheckedContinuation { continuation in
            if !inbox.put(Job(content, continuation)) {
                let reason = SinkError(.unavailable, "the connection to Redis is closed")
                continuation.resume(returning: Job.Outcome.failure(reason))
            }
        }
        return try outcome.get()
    }
}
