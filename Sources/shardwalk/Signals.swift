import Dispatch
import Glibc
import Synchronization

/// SIGTERM and SIGINT: the first one asks for an orderly end, a second one ends the process at once.
///
/// Ending at once is safe: the checkpoint on disk is whole at every moment, and what came since is applied again.
final class Signals {
    private final class Count: Sendable {
        private let received = Atomic(0)

        /// Counts one more and returns how many there were before.
        func next() -> Int { received.add(1, ordering: .relaxed).oldValue }
    }

    private static let numbers = [SIGTERM, SIGINT]

    /// Whether somebody ends the process already: a second one would end it in the middle of that.
    private static let isEnding = Atomic(false)

    /// The default action would end the process before a source sees the signal.
    ///
    /// Done once: Dispatch puts a handler of its own in the place of this, which a second time would remove.
    private static let ignoreDefaults: Void = {
        for number in numbers { signal(number, SIG_IGN) }
    }()

    private let sources: [any DispatchSourceSignal]

    /// Takes over the two signals; `stop` is called once, on a thread of Dispatch's.
    init(stop: @escaping @Sendable () -> Void) {
        let count = Count()
        Self.ignoreDefaults
        sources = Self.numbers.map { number in
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: .global(qos: .userInitiated))
            source.setEventHandler {
                guard count.next() == 0 else {
                    if Self.isEnding.exchange(true, ordering: .relaxed) { return }
                    Terminal.error("second signal: ending at once; the checkpoint is as last saved")
                    // Ends what was started (the demo's redis-server), but waits for nothing.
                    quick_exit(128 + number)
                }
                stop()
            }
            source.activate()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }
}
