import Synchronization

/// What tasks bring together for a test to look at.
final class Collected<Value: Sendable>: Sendable {
    private let state = Mutex<[Value]>([])

    /// Everything so far, in the order in which it came.
    var values: [Value] { state.withLock { $0 } }

    /// Adds a value.
    func add(_ value: Value) { state.withLock { $0.append(value) } }
}
