import Glibc

/// The time as the walk sees it: the machine's, or a simulation's.
package protocol WalkClock: Sendable {
    /// Time since an arbitrary origin, which never jumps: for pauses and deadlines.
    var uptime: Duration { get }
    /// Seconds since 1970, as near to the service's own time as is known: for comparing with the records' times.
    var time: Double { get }
    /// Whether ``time`` is known to be the service's time, not only this machine's.
    var isServiceTime: Bool { get }
    /// Waits for `duration`, or until the task is cancelled.
    func sleep(for duration: Duration) async
}

/// The machine's clock.
package struct SystemClock: WalkClock {
    private let origin = ContinuousClock.now
    private let correction: @Sendable () -> Double?

    /// The clock of this machine; its time is wrong by as many seconds as `correction` puts right, or it is not known by
    /// how many.
    package init(correction: @escaping @Sendable () -> Double? = { nil }) {
        self.correction = correction
    }

    package var uptime: Duration { ContinuousClock.now - origin }

    package var time: Double {
        var now = timespec()
        // Fails only for a clock that does not exist.
        precondition(clock_gettime(CLOCK_REALTIME, &now) == 0, "the machine has no clock")
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 + (correction() ?? 0)
    }

    package var isServiceTime: Bool { correction() != nil }

    package func sleep(for duration: Duration) async {
        // Throws only when the task is cancelled, which every caller looks for itself.
        try? await Task.sleep(for: duration, clock: .continuous)
    }
}
