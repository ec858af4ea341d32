import Simulation
import TestBed

/// Runs a scenario on a thread of its own.
///
/// - Throws: what ``Simulation/Simulator/run(_:isTracing:)`` throws.
func simulated(_ scenario: Scenario, isTracing: Bool = false) async throws -> Simulator.Report {
    try await onOwnThread { try Simulator.run(scenario, isTracing: isTracing) }
}
