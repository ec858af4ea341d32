import Synchronization
import Walk

/// Whether one process of the daemon lives: nothing that it does afterwards has an effect.
final class Life: Sendable {
    private let state = Mutex(true)

    /// Whether the process has not been killed.
    var isOn: Bool { state.withLock { $0 } }

    /// Ends the process without asking.
    func end() { state.withLock { $0 = false } }

    /// Waits for as long as a message takes, whoever is cancelled; a dead process waits for nothing.
    func pause(in world: World) async {
        if isOn { await world.clock.sleepThrough(for: world.latency()) }
    }
}
