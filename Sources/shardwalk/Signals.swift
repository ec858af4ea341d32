import Dispatch
import Glibc
import Synchronization

/// SIGTERM, SIGINT and SIGHUP: the first one asks for an orderly end, a second one ends the process at once.
///
/// Ending at once is safe: the checkpoint on disk is whole at every moment, and what came since is applied again. The
/// handler itself only counts and writes a byte to a pipe, which may be done at any moment; from the first value of this
/// type on, no signal is lost. From the second signal on its status is the process's, however far an orderly end has come.
final class Signals: Sendable {
    private struct State {
        var stops: [Int: @Sendable () -> Void] = [:]
        var count = 0
        /// How many signals have come.
        var received = 0
    }

    private static let state = Mutex(State())
    /// What the handler knows: 0 before the first signal, then -1, and from the second signal on its number.
    private static let second = Atomic<Int32>(0)
    /// Whether somebody is about to end the process.
    private static let isEnding = Atomic(false)
    /// The ends that are read from and written to.
    private static let ends: (reading: Int32, writing: Int32) = {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }()
    private static let begin: Void = {
        let (reading, writing) = ends
        // Without a descriptor left, signals do what they do by default.
        guard reading >= 0, writing >= 0 else { return }
        DispatchQueue(label: "signals").async {
            var number: UInt8 = 0
            while read(reading, &number, 1) == 1 { take(Int32(number)) }
        }
        // The handler must not be the first to touch it, which may take a lock.
        _ = second.load(ordering: .relaxed)
        // Registered before all others, these come last, when nothing is left to be done but to end.
        atexit { Signals.endAsSecondSaid() }
        at_quick_exit { Signals.endAsSecondSaid() }
        // The end of a terminal is one of the program, unless somebody asked for the opposite (nohup(1)).
        for number in [SIGTERM, SIGINT, SIGHUP] where number != SIGHUP || !isIgnored(number) {
            signal(number) { number in
                let before = errno
                Signals.note(number)
                var byte = UInt8(number)
                _ = write(Signals.ends.writing, &byte, 1)
                errno = before
            }
        }
    }()

    private let id: Int

    /// Takes over the signals; `stop` is called once, at the first one or now if that has come already.
    init(stop: @escaping @Sendable () -> Void) {
        let (id, isLate) = Self.state.withLock { state in
            state.count += 1
            state.stops[state.count] = stop
            return (state.count, state.received > 0)
        }
        self.id = id
        Self.begin
        if isLate { stop() }
    }

    deinit { Self.state.withLock { [id] in $0.stops[id] = nil } }

    private static func take(_ number: Int32) {
        let (isFirst, stops) = state.withLock { state in
            state.received += 1
            return (state.received == 1, state.stops.values)
        }
        guard isFirst else {
            Terminal.error("second signal: ending at once; the checkpoint is as last saved")
            claimEnd()
            // Ends what was started (the demo's redis-server), but waits for nothing.
            quick_exit(128 + number)
        }
        for stop in stops { stop() }
    }

    /// Returns at once to the first who is about to end the process; to be called before that is done in any way.
    ///
    /// Threads that exit side by side share out what is to be done at an exit, and the first one through ends the process
    /// under the others. So whoever is late waits for the end that is under way, unless that has come to a halt.
    static func claimEnd() {
        guard isEnding.exchange(true, ordering: .sequentiallyConsistent) else { return }
        var seconds: UInt32 = 10
        // A signal cuts it short.
        while seconds > 0 { seconds = sleep(seconds) }
    }

    /// Notes that a signal has come, in its handler.
    private static func note(_ number: Int32) {
        let (isFirst, _) = second.compareExchange(
            expected: 0, desired: -1, ordering: .sequentiallyConsistent)
        guard !isFirst else { return }
        _ = second.compareExchange(
            expected: -1, desired: number, ordering: .sequentiallyConsistent)
    }

    /// Gives the process the status of the second signal, if there was one, at the very end of any exit.
    private static func endAsSecondSaid() {
        let number = second.load(ordering: .sequentiallyConsistent)
        if number > 0 { _exit(128 + number) }
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        // Source: <bits/signum-generic.h>: SIG_IGN is the pointer 1.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
