/// What the walk of a shard does about a failure: the one place that decides.
package enum Verdict: Equatable, Sendable {
    /// The same again after a short pause: the failure passes by itself.
    case retry
    /// The same again after a longer pause: calls come too often.
    case retryLater
    /// The same again after half a minute: somebody has to act, and then it goes on by itself.
    case retrySlowly
    /// Again with a new iterator: the old one has lived too long.
    case reopen
    /// From the oldest record that is left: what came before is lost.
    case trimmed
    /// The shard is not there any more.
    case gone
    /// Nothing that the walk can do helps.
    case block
    /// From the positions that the cache has now: what it had may be lost.
    case reread
    /// Not any more: somebody else does it.
    case yield

    /// What to do about a call to the stream service that failed.
    package init(on error: SourceError) {
        self =
            switch error.kind {
            case .unavailable, .cancelled: .retry
            case .throttled: .retryLater
            case .denied: .retrySlowly
            case .expiredIterator: .reopen
            case .trimmed: .trimmed
            case .notFound: .gone
            case .invalid: .block
            }
    }

    /// What to do about a write that failed.
    package init(on error: SinkError) {
        self =
            switch error.kind {
            case .unavailable, .full: .retry
            case .denied: .retrySlowly
            case .refused: .block
            case .outdated: .reread
            case .foreign: .yield
            }
    }

    /// How long to wait before going on.
    package func pause(_ backoff: inout Backoff) -> Duration {
        switch self {
        case .retryLater: backoff.next() + .milliseconds(500)
        case .retrySlowly: backoff.next() + .seconds(30)
        case .retry, .reopen, .trimmed, .gone, .block, .reread, .yield: backoff.next()
        }
    }
}
