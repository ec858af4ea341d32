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

    private let sources: [any DispatchSourceSignal]

    /// Takes over the two signals; `stop` is called once, on a thread of Dispatch's.
    init(stop: @escaping @Sendable () -> Void) {
        let count = Count()
        sources = [SIGTERM, SIGINT].map { number in
            // The default action would end the process before the source sees the signal.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: .global(qos: .userInitiated))
            source.setEventHandler {
                guard count.next() == 0 else {
                    Terminal.error("second signal: ending at once; the checkpoint is as last saved")
                    _exit(128 + number)
                }
                stop()
            }
            source.activate()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }
}
