import Foundation
import Synchronization
import TestBed

/// A daemon that is started again when it has ended, as systemd does.
final class SupervisedDaemon: Sendable {
    private struct State {
        var process: ShardwalkProcess?
        var isWanted = true
        var starts = 0
        var strangeEnd: String?
    }

    /// The exit codes with which a daemon may give up at its start, to be started again: a disk or a service that is
    /// not there.
    private static let passing: Set<Int32> = [69, 74]

    private let stage: Stage
    private let clock: ChaosClock
    private let state = Mutex(State())

    /// A daemon that is not started yet, with a clock of its own.
    init(_ stage: Stage, clock: ChaosClock) {
        self.stage = stage
        self.clock = clock
    }

    /// How often it was started.
    var starts: Int { state.withLock(\.starts) }

    /// How it ended as it never should, with the end of its log; nil as long as it did not.
    var strangeEnd: String? { state.withLock(\.strangeEnd) }

    /// Keeps it running until the task is cancelled, or until it ends in a way in which it never should.
    func supervise() async throws {
        while !Task.isCancelled, strangeEnd == nil {
            try startIfNeeded()
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private func startIfNeeded() throws {
        try state.withLock { state in
            guard state.isWanted, state.process?.isRunning != true else { return }
            if let code = state.process?.endedWith, !Self.passing.contains(code) {
                state.strangeEnd = "shardwalk ended with \(code): \(stage.log.suffix(3_000))"
                return
            }
            state.starts += 1
            state.process = try stage.start("run", environment: clock.environment)
        }
    }

    /// Kills it; it is not started again before ``resume()``.
    func kill() async throws {
        let process = state.withLock { state in
            state.isWanted = false
            return state.process.take()
        }
        guard let process else { return }
        process.signal(SIGKILL)
        _ = try await process.exitCode()
    }

    /// Starts it again after a kill.
    func resume() { state.withLock { $0.isWanted = true } }

    /// Sends it a signal, if it runs.
    func signal(_ number: Int32) {
        state.withLock { $0.process }.map { if $0.isRunning { $0.signal(number) } }
    }

    /// Stops it in order and returns its exit code.
    func stop() async throws -> Int32? {
        let process = state.withLock { state in
            state.isWanted = false
            return state.process
        }
        guard let process else { return nil }
        process.signal(SIGTERM)
        return try await process.exitCode()
    }
}
