import Synchronization

/// Where batches wait for the connection's thread: filled by any task, emptied by that thread.
///
/// It holds one batch per waiting caller and so needs no bound of its own.
final class Inbox: Sendable {
    /// Wakes the thread when something has come in.
    let waker: Waker
    private let state = Mutex(State())

    private struct State {
        var jobs: [Job] = []
        var isClosed = false
        var hasEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    /// An empty inbox that is woken through `waker`.
    init(waker: Waker) { self.waker = waker }

    /// Puts a batch in; false if the inbox is closed.
    func put(_ job: Job) -> Bool {
        let isTaken = state.withLock { state in
            if !state.isClosed { state.jobs.append(job) }
            return !state.isClosed
        }
        waker.wake()
        return isTaken
    }

    /// Takes everything that has come in, and whether no more will come.
    func take() -> (jobs: [Job], isClosed: Bool) {
        waker.clear()
        return state.withLock { state in
            defer { state.jobs = [] }
            return (state.jobs, state.isClosed)
        }
    }

    /// Lets nothing more in.
    func close() {
        state.withLock { $0.isClosed = true }
        waker.wake()
    }

    /// Says that the thread has ended: everybody who waits for that goes on.
    func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when the thread has ended.
    func waitForEnd() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.waiters.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }
}
