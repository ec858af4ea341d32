package import Logging
import Synchronization

/// Logs failures that repeat: the 1st, 2nd, 4th, 8th … of each kind, over all shards.
///
/// A thousand shards that meet the same closed door are one event for the person who reads the log.
package final class FailureLog: Sendable {
    private struct Run {
        var count = 0
        var last: Duration
    }

    /// A failure after this much quiet is news again.
    private static let quiet = Duration.seconds(60)

    private let logger: Logger
    private let runs = Mutex<[String: Run]>([:])

    /// A log of failures in `logger`.
    package init(_ logger: Logger) { self.logger = logger }

    /// Notes a failure; `kind` names it for counting and has few values.
    package func note(
        _ kind: String, level: Logger.Level = .warning, at now: Duration, _ message: Logger.Message,
        _ metadata: @autoclosure () -> Logger.Metadata
    ) {
        let count = runs.withLock { runs in
            var run = runs[kind] ?? Run(last: now)
            if now - run.last > Self.quiet { run.count = 0 }
            run.count += 1
            run.last = now
            runs[kind] = run
            return run.count
        }
        guard count.nonzeroBitCount == 1 else { return }
        logger.log(
            level: level, message, metadata: metadata().merging(["count": "\(count)"]) { $1 })
    }
}
