import Dispatch
import Glibc
import Synchronization

/// SIGTERM, SIGINT and SIGHUP: the first one asks for an orderly end, a second one ends the process at once.
///
/// Ending at once is safe: the checkpoint on disk is whole at every moment, and what came since is applied again. The
/// handler itself only writes a byte to a pipe, which may be done at any moment; from the first value of this type on, no
/// signal is lost.
final class Signals: Sendable {
    private struct State {
        var stops: [Int: @Sendable () -> Void] = [:]
        var count = 0
        /// How many signals have come.
        var received = 0
    }

    private static let state = Mutex(State())
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
        // The end of a terminal is one of the program, unless somebody asked for the opposite (nohup(1)).
        for number in [SIGTERM, SIGINT, SIGHUP] where number != SIGHUP || !isIgnored(number) {
            signal(number) { number in
                let before = errno
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
            // Ends what was started (the demo's redis-server), but waits for nothing.
            quick_exit(128 + number)
        }
        for stop in stops { stop() }
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        // Source: <bits/signum-generic.h>: SIG_IGN is the pointer 1.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
