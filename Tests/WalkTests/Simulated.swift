import Foundation
import Simulation

/// Runs a scenario on a thread of its own: seconds of work would keep all other tests from the pool that they share.
///
/// - Throws: what ``Simulation/Simulator/run(_:isTracing:)`` throws.
func simulated(_ scenario: Scenario, isTracing: Bool = false) async throws -> Simulator.Report {
    let result = await withCheckedContinuation { continuation in
        Thread {
            continuation.resume(
                returning: Result { try Simulator.run(scenario, isTracing: isTracing) })
        }.start()
    }
    return try result.get()
}
