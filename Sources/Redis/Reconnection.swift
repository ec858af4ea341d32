import Walk

/// When to connect next, and what to say about it: how many attempts in a row have failed, and why.
struct Reconnection {
    /// The number of failures since the connection last worked.
    private(set) var failures = 0
    /// Before this moment no attempt is made.
    private(set) var earliest = ContinuousClock.now
    /// The last failure; nil while the connection works.
    private(set) var reason: SinkError?
    private var began = ContinuousClock.now
    /// The pauses for a server that is away.
    private var away: Backoff
    /// The pauses for a server that does not let us in: that takes somebody to mend.
    private var denied: Backoff

    /// A first connection, which is made at once; `generator` is the source of the pauses' jitter.
    init(generator: SeededGenerator) {
        away = Backoff(base: .milliseconds(100), maximum: .seconds(2), generator: generator)
        denied = Backoff(base: .seconds(1), maximum: .seconds(10), generator: generator)
    }

    /// Notes a failure and chooses the pause before the next attempt.
    mutating func fail(_ reason: SinkError, now: ContinuousClock.Instant = .now) {
        if failures == 0 { began = now }
        failures += 1
        self.reason = reason
        earliest = now + (reason.kind == .denied ? denied.next() : away.next())
    }

    /// Notes that the connection works, and returns how long it did not; nil if it did all the time.
    mutating func succeed(now: ContinuousClock.Instant = .now) -> Duration? {
        defer {
            failures = 0
            reason = nil
            away.reset()
            denied.reset()
        }
        return failures > 0 ? now - began : nil
    }

    /// Whether this failure is the 1st, 2nd, 4th, 8th...: the ones that are logged.
    var isWorthLogging: Bool { failures.nonzeroBitCount == 1 }

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
