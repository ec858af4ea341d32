import Walk

/// When to connect next, and what to say about it: how many attempts in a row have failed, and why.
///
/// A connection that works only for moments, as one to a node that refuses every other batch does, counts as
/// one long failure, so that it is neither made nor logged ever faster.
struct Reconnection {
    /// The number of failures since the connection last worked for a while.
    private(set) var failures = 0
    /// Before this moment no attempt is made.
    private(set) var earliest = ContinuousClock.now
    /// Since when the connection works; nil while it does not.
    private var worksSince: ContinuousClock.Instant?
    private var reason: SinkError?
    private var lostSince = ContinuousClock.now
    /// Whether the outage was logged, and its end should be.
    private var isTold = false
    /// The pauses for a server that is away.
    private var away: Backoff
    /// The pauses for a server that does not let us in: that takes somebody to mend.
    private var denied: Backoff

    /// A connection that has worked for so long has left its earlier failures behind.
    static let steadiness = Duration.seconds(10)

    /// A first connection, which is made at once; `generator` is the source of the pauses' jitter.
    init(generator: SeededGenerator) {
        away = Backoff(base: .milliseconds(100), maximum: .seconds(2), generator: generator)
        denied = Backoff(base: .seconds(1), maximum: .seconds(10), generator: generator)
    }

    /// Notes a failure and chooses the pause before the next attempt.
    ///
    /// Returns whether to log it, which is so for the 1st, 2nd, 4th and so on in a row.
    mutating func fail(_ reason: SinkError, now: ContinuousClock.Instant = .now) -> Bool {
        if let since = worksSince, now - since >= Self.steadiness {
            failures = 0
            away.reset()
            denied.reset()
        }
        if failures == 0 || worksSince != nil { lostSince = now }
        worksSince = nil
        self.reason = reason
        failures += 1
        earliest = now + (reason.kind == .denied ? denied.next() : away.next())
        let isTold = failures.nonzeroBitCount == 1
        self.isTold = self.isTold || isTold
        return isTold
    }

    /// Notes that the connection works; returns how long it did not, if that was logged and now is over.
    mutating func succeed(now: ContinuousClock.Instant = .now) -> Duration? {
        guard worksSince == nil else { return nil }
        worksSince = now
        defer { isTold = false }
        return isTold ? now - lostSince : nil
    }

    /// What a batch is told that cannot be written now.
    func refusal(now: ContinuousClock.Instant = .now) -> SinkError {
        let pause = max(.zero, earliest - now).formatted
        return SinkError(
            reason?.kind ?? .unavailable,
            "\(reason?.message ?? "not connected to Redis") (reconnecting in \(pause))")
    }
}

extension Duration {
    /// The duration in seconds with three digits, such as `1.250 s`.
    var formatted: String {
        let milliseconds =
            components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
        let fraction = String(milliseconds % 1_000 + 1_000).dropFirst()
        return "\(milliseconds / 1_000).\(fraction) s"
    }
}
