import Synchronization

/// The bytes that pages may hold in memory, over all shards.
///
/// A page is asked for only when its expected size fits; waiters are served in the order in which they came, so a hot
/// shard can't starve the others. A page that turns out larger is charged in full and delays the next ones, so what is
/// held never exceeds the limit by more than the surprise of the requests already under way.
package final class ByteBudget: Sendable {
    /// Bytes set aside for one page, given back when the last reference goes.
    package final class Reservation: Sendable {
        private let budget: ByteBudget
        private let bytes: Mutex<Int>

        fileprivate init(_ budget: ByteBudget, _ bytes: Int) {
            self.budget = budget
            self.bytes = Mutex(bytes)
        }

        /// Replaces the expected size by the real one.
        package func settle(at actual: Int) {
            let change = bytes.withLock { bytes in
                defer { bytes = actual }
                return actual - bytes
            }
            budget.release(-change)
        }

        deinit { budget.release(bytes.withLock { $0 }) }
    }

    private struct Waiter {
        let id: UInt64
        let bytes: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var free: Int
        var waiters: [Waiter] = []
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0

        /// Takes the waiters off the queue whose bytes are free now.
        mutating func serve() -> [Waiter] {
            var count = 0
            for waiter in waiters {
                guard waiter.bytes <= free else { break }
                free -= waiter.bytes
                count += 1
            }
            defer { waiters.removeFirst(count) }
            return Array(waiters.prefix(count))
        }
    }

    private let limit: Int
    private let state: Mutex<State>

    /// A budget of `limit` bytes.
    package init(limit: Int) {
        precondition(limit > 0)
        self.limit = limit
        state = Mutex(State(free: limit))
    }

    /// Waits until `bytes` fit, or returns nil when the task is cancelled.
    package func reserve(_ bytes: Int) async -> Reservation? {
        // More than everything can never fit: such a page waits until it has the budget to itself.
        let bytes = min(bytes, limit)
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        let granted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    if state.waiters.isEmpty, bytes <= state.free {
                        state.free -= bytes
                        return true
                    }
                    state.waiters.append(
                        Waiter(id: id, bytes: bytes, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let (waiter, served) = state.withLock { state -> (Waiter?, [Waiter]) in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return (nil, [])
                }
                // Those behind it may fit where it did not.
                return (state.waiters.remove(at: index), state.serve())
            }
            waiter?.continuation.resume(returning: false)
            for waiter in served { waiter.continuation.resume(returning: true) }
        }
        // A cancellation that came after the grant has left its mark; nobody else will remove it.
        _ = state.withLock { $0.cancelled.remove(id) }
        return granted ? Reservation(self, bytes) : nil
    }

    /// The bytes that are set aside at this moment.
    package var held: Int { state.withLock { limit - $0.free } }

    private func release(_ bytes: Int) {
        let served = state.withLock { state in
            state.free += bytes
            return state.serve()
        }
        for waiter in served { waiter.continuation.resume(returning: true) }
    }
}
