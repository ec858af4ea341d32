import Synchronization
import Walk

/// A clock that moves only when it is told to: hours pass in no time.
package final class SimulatedClock: WalkClock {
    private struct Sleeper {
        let due: Duration
        let id: UInt64
        let continuation: UnsafeContinuation<Void, Never>
    }

    private struct State {
        var uptime = Duration.zero
        /// In the order in which they wake, those of one moment in the order in which they went to sleep: most who come
        /// wake after most who are there, so that ten thousand are no more work than ten.
        var sleepers: ArraySlice<Sleeper> = []
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0

        mutating func insert(_ sleeper: Sleeper) {
            var (lower, upper) = (sleepers.startIndex, sleepers.endIndex)
            while lower < upper {
                let middle = (lower + upper) / 2
                let other = sleepers[middle]
                if (other.due, other.id) < (sleeper.due, sleeper.id) {
                    lower = middle + 1
                } else {
                    upper = middle
                }
            }
            sleepers.insert(sleeper, at: lower)
        }
    }

    /// The service's time at the beginning of all simulations, in seconds since 1970.
    static let origin = 1_700_000_000.0

    package let isServiceTime: Bool
    /// By how many seconds the machine's clock is wrong, and since when.
    private let skews: Mutex<[(since: Duration, seconds: Double)]>
    private let state = Mutex(State())

    /// A clock at its beginning.
    package init(skew: Double = 0, isServiceTime: Bool = true) {
        skews = Mutex([(.zero, skew)])
        self.isServiceTime = isServiceTime
    }

    /// Sets the machine's clock, so that it is wrong by so many seconds.
    func set(skew seconds: Double) {
        let now = uptime
        skews.withLock { $0.append((now, seconds)) }
    }

    /// The service's time, in seconds since 1970, when the machine's clock showed a time last.
    func serviceTime(of time: Double) -> Double {
        let now = serviceTime
        return skews.withLock { skews in
            var end = now
            for (since, seconds) in skews.reversed() {
                let begin = Self.origin + since.inSeconds
                if (begin...end).contains(time - seconds) { return time - seconds }
                end = begin
            }
            return now
        }
    }

    package var uptime: Duration { state.withLock { $0.uptime } }
    package var time: Double { serviceTime + skews.withLock { $0.last?.seconds ?? 0 } }
    /// The time by the service's clock, in seconds since 1970.
    var serviceTime: Double { Self.origin + uptime.inSeconds }

    /// The time since the beginning when the service's clock shows a time, in seconds since 1970.
    func uptime(at serviceTime: Double) -> Duration { .seconds(serviceTime - Self.origin) }

    package func sleep(for duration: Duration) async {
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.cancelled.remove(id) != nil || duration <= .zero { return true }
                    state.insert(
                        Sleeper(due: state.uptime + duration, id: id, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let sleeper: Sleeper? = state.withLock { state in
                guard let place = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: place)
            }
            sleeper?.continuation.resume()
        }
        _ = state.withLock { $0.cancelled.remove(id) }
    }

    /// Waits like ``sleep(for:)``, but is not woken when the task is cancelled.
    func sleepThrough(for duration: Duration) async {
        await withUnsafeContinuation { continuation in
            state.withLock { state in
                state.insert(
                    Sleeper(
                        due: state.uptime + duration, id: state.nextID, continuation: continuation))
                state.nextID += 1
            }
        }
    }

    /// Wakes all who sleep, as the end of their process does.
    func wakeAll() {
        let sleepers = state.withLock { state in
            defer { state.sleepers = [] }
            return state.sleepers.sorted { $0.id < $1.id }
        }
        for sleeper in sleepers { sleeper.continuation.resume() }
    }

    /// When the next sleeper wakes; nil when nobody sleeps.
    package var nextDue: Duration? { state.withLock { $0.sleepers.first?.due } }

    /// Moves on to a time, and wakes who slept until then.
    package func advance(to time: Duration) {
        let woken: [Sleeper] = state.withLock { state in
            precondition(state.uptime <= time, "time goes on")
            state.uptime = time
            let woken = state.sleepers.prefix { $0.due <= time }
            state.sleepers.removeFirst(woken.count)
            return Array(woken)
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }
}

extension Duration {
    /// The same length in seconds.
    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
