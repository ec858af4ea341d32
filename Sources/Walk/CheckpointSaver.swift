package import Logging

/// Saves the progress on a beat, whenever there is something new to remember.
///
/// A save that fails leaves the old checkpoint as it was, which is valid: the walk goes on, and a restart would
/// repeat what came since. It is logged until it works again.
package struct CheckpointSaver<Store: CheckpointStore, Clock: WalkClock>: Sendable {
    private let progress: Progress
    private let store: Store
    private let beat: Duration
    private let clock: Clock
    private let failures: FailureLog

    /// A saver of `progress` to `store`, once every `beat` at the most.
    package init(
        _ progress: Progress, to store: Store, every beat: Duration, clock: Clock, logger: Logger
    ) {
        self.progress = progress
        self.store = store
        self.beat = beat
        self.clock = clock
        failures = FailureLog(logger)
    }

    /// Saves on the beat until the task is cancelled.
    package func run() async {
        var saved = progress.revision
        while !Task.isCancelled {
            await clock.sleep(for: beat)
            guard progress.revision != saved else { continue }
            do throws(CheckpointError) {
                saved = try await save()
            } catch {
                report(error)
            }
        }
    }

    /// Saves now, or reports that it could not be done; the next beat tries again.
    package func saveOrReport() async {
        do throws(CheckpointError) {
            try await save()
        } catch {
            report(error)
        }
    }

    private func report(_ error: CheckpointError) {
        failures.note(
            "checkpoint", level: .error, at: clock.uptime,
            "the checkpoint could not be saved; the walk goes on, trying again",
            ["error": "\(error.description)", "do": "\(error.advice)"])
    }

    /// Saves now, and returns the revision of the progress that was saved.
    @discardableResult
    package func save() async throws(CheckpointError) -> Int {
        // What comes in between is saved as well, and once more on the next beat.
        let revision = progress.revision
        try await store.save { progress.checkpoint(time: clock.time) }
        return revision
    }
}
