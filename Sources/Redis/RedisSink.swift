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
        _ = try await answer(to: .batch(Batch(changes: changes, step: noted)))
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
