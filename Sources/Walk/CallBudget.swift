import Synchronization

/// Calls per second that all streams of the process share, handed out evenly and in order of asking.
///
/// DescribeStream is limited to 10 calls per second, by account and region according to those who ran into it, so
/// that other consumers share the limit.
package final class CallBudget<Clock: WalkClock>: Sendable {
    private let interval: Duration
    private let clock: Clock
    private let nextSlot = Mutex(Duration.zero)

    /// A budget of so many calls per second.
    package init(callsPerSecond: Int, clock: Clock) {
        precondition(callsPerSecond > 0)
        interval = .seconds(1) / callsPerSecond
        self.clock = clock
    }

    /// Waits until the next call may be made, or until the task is cancelled.
    package func take() async {
        let now = clock.uptime
        let slot = nextSlot.withLock { next in
            let slot = max(next, now)
            next = slot + interval
            return slot
        }
        if slot > now { await clock.sleep(for: slot - now) }
    }
}
