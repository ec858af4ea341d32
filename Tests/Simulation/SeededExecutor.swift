import Synchronization
import Walk

/// Runs the jobs of a simulation one by one on the calling thread, in an order that follows from a seed.
///
/// Whatever order the jobs of ready tasks take on real threads, some seed takes it too.
package final class SeededExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var generator: SeededGenerator
    }

    private let state: Mutex<State>

    /// An executor without jobs.
    package init(seed: UInt64) { state = Mutex(State(generator: SeededGenerator(seed: seed))) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
    }

    /// Runs one of the jobs, or returns false when there is none.
    package func runOne() -> Bool {
        let job: UnownedJob? = state.withLock { state in
            guard !state.jobs.isEmpty else { return nil }
            let place = Int.random(in: state.jobs.indices, using: &state.generator)
            state.jobs.swapAt(place, state.jobs.count - 1)
            return state.jobs.popLast()
        }
        guard let job else { return false }
        job.runSynchronously(on: asUnownedTaskExecutor())
        return true
    }

    /// Runs jobs until all tasks wait.
    package func runAll() { while runOne() {} }
}
