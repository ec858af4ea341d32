import Glibc

/// The time as the walk sees it: the machine's, or a simulation's.
package protocol WalkClock: Sendable {
    /// Time since an arbitrary origin, which never jumps: for pauses and deadlines.
    var uptime: Duration { get }
    /// Seconds since 1970, as near to the service's own time as is known: for comparing with the records' times.
    var time: Double { get }
    /// Waits for `duration`, or until the task is cancelled.
    func sleep(for duration: Duration) async
}

/// The machine's clock.
package struct SystemClock: WalkClock {
    private let origin = ContinuousClock.now
    private let correction: @Sendable () -> Double

    /// The clock of this machine; its time is wrong by as many seconds as `correction` puts right.
    package init(correction: @escaping @Sendable () -> Double = { 0 }) {
        self.correction = correction
    }

    package var uptime: Duration { ContinuousClock.now - origin }

    package var time: Double {
        var now = timespec()
        // Fails only for a clock that does not exist.
        precondition(clock_gettime(CLOCK_REALTIME, &now) == 0, "the machine has no clock")
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 + correction()
    }

    package func sleep(for duration: Duration) async {
        // Throws only when the task is cancelled, which every caller looks for itself.
        try? await Task.sleep(for: duration, clock: .continuous)
    }
}
