// The walk's way into Redis. It promises that a batch counts as applied only when every one of its replies is
// in and none is a refusal, that a refusal is that of one batch alone, and that a server which is away,
// loading, full or read-only never loses or reorders anything: the batch fails, and the walk applies the same
// one again. It assumes that commands are safe to repeat, as SET and DEL are, and that batches which are under
// way together touch different keys. It never retries, never drops a batch and never shows a value.

import Foundation
package import Logging
package import Records
package import Walk

/// Writes batches to one Redis server, over one connection on a thread of its own.
package final class RedisSink: Sink {
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
        let thread = Thread { Connection(configuration, inbox: inbox, logger: logger).run() }
        thread.name = "redis"
        thread.start()
    }

    deinit { inbox.close() }

    /// Writes SET or DEL for every change, and returns when all of them are acknowledged.
    ///
    /// One attempt: it fails at once while the server cannot be reached, and in bounded time if that
    /// happens on the way.
    package func apply(_ changes: ChangeSet) async throws(SinkError) {
        guard changes.count > 0 else { return }
        _ = try await outcome(of: .changes(changes))
    }

    /// Sends at most 1,000 commands of any kind and returns their replies, refusals among them.
    package func replies(to commands: [[String]]) async throws(SinkError) -> [Reply] {
        precondition(commands.count <= CommandBuffer.countMax, "one pipeline's worth of commands")
        guard !commands.isEmpty else { return [] }
        return try await outcome(of: .commands(CommandBuffer(commands)))
    }

    /// Finishes the batches that have come in, closes the connection and ends the thread.
    ///
    /// Returns in bounded time: batches fail where the server is away, and an attempt to connect that is
    /// under way takes as long as its timeout and the resolver's.
    package func close() async {
        inbox.close()
        await inbox.waitForEnd()
    }

    private func outcome(of content: Job.Content) async throws(SinkError) -> [Reply] {
        let outcome = await withCheckedContinuation { continuation in
            if !inbox.put(Job(content, continuation)) {
                let reason = SinkError(.unavailable, "the connection to Redis is closed")
                continuation.resume(returning: Job.Outcome.failure(reason))
            }
        }
        return try outcome.get()
    }
}
