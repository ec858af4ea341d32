import Walk

/// When to log in again over a connection that lives on, and what to say where that fails.
///
/// The connection looks at it between its batches and at each check of an idle connection, so a login is made up to
/// `RedisConfiguration.idleLimit` after it is due. A server that refuses one leaves the connection to the user that
/// it belongs to (redis-server 7.0), so there is time to try again until the server ends it.
struct LoginRenewal {
    /// The moment of the next login.
    private(set) var due: ContinuousClock.Instant
    /// The number of logins that have failed since the last good one.
    private(set) var failures = 0
    private let span: ClosedRange<Duration>
    private var generator: SeededGenerator
    private var pauses: Backoff

    /// The schedule of a connection that has just logged in: the next login follows at some moment of `span`.
    init(
        in span: ClosedRange<Duration>, generator: SeededGenerator,
        now: ContinuousClock.Instant = .now
    ) {
        self.span = span
        self.generator = generator
        pauses = Backoff(base: .seconds(1), maximum: .seconds(60), generator: generator)
        due = now
        succeed(now: now)
    }

    /// Notes a login, over this connection or a new one.
    mutating func succeed(now: ContinuousClock.Instant = .now) {
        let share = Double.random(in: 0...1, using: &generator)
        due = now + span.lowerBound + (span.upperBound - span.lowerBound) * share
        failures = 0
        pauses.reset()
    }

    /// Notes a login that failed and left the connection as it was, and chooses the pause before the next one.
    ///
    /// Returns whether to log it, which is so for the 1st, 2nd, 4th and so on in a row.
    mutating func fail(now: ContinuousClock.Instant = .now) -> Bool {
        failures += 1
        due = now + pauses.next()
        return failures.nonzeroBitCount == 1
    }
}
