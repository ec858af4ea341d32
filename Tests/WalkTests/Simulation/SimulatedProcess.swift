import Logging
import Records
import Synchronization
import Walk

/// One process of the daemon, from its start to its end.
final class SimulatedProcess: Sendable {
    /// How a process came to its end.
    enum Ending: Equatable, Sendable {
        case walked(Walker<SimulatedStream, SimulatedCache, SimulatedClock>.Ending)
        case failed(WalkError)
    }

    private struct State {
        var isAlive = true
        var ending: Ending?
        var task: Task<Void, Never>?
    }

    /// What the walk has applied.
    let progress: Progress
    /// The bytes that it may hold.
    let memory: ByteBudget
    /// The goal of the walk.
    let goal: Goal
    /// When the process began, in seconds since 1970 by the service's clock.
    let startedAt: Double
    private let state = Mutex(State())

    init(_ world: World, goal: Goal) {
        self.goal = goal
        startedAt = world.clock.serviceTime
        progress = Progress(name: Simulator.name, resuming: world.access { $0.disk })
        memory = ByteBudget(limit: world.scenario.byteLimit)
    }

    /// Whether the process has not been killed.
    var isAlive: Bool { state.withLock(\.isAlive) }
    /// How it ended; nil while it runs.
    var ending: Ending? { state.withLock(\.ending) }
    /// When its stream was begun; nil before that.
    var beginning: Checkpoint.Beginning? { progress.streams[Simulator.stream]?.tree.beginning }

    /// Starts the daemon.
    func start(in world: World, on executor: SeededExecutor) throws(InvalidKeyTemplate) {
        let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        let clock = world.clock
        let saver = CheckpointSaver(
            progress, to: SimulatedDisk(world: world, process: self), every: .seconds(1),
            clock: clock, logger: logger)
        let walker = Walker(
            Simulator.stream, from: world.scenario.start,
            mapping: Mapping(key: try KeyTemplate("{id}")), goal: goal,
            seed: world.scenario.seed,
            parts: WalkParts(
                source: SimulatedStream(world, for: self),
                sink: SimulatedCache(world: world, process: self), clock: clock,
                progress: progress, memory: memory,
                calls: CallBudget(callsPerSecond: 5, clock: clock),
                idle: IdlePause(minimum: .milliseconds(500), maximum: .seconds(8)),
                logger: logger, remember: { await saver.saveOrReport() }))
        let task = Task(executorPreference: executor) {
            let ending = await withTaskGroup(of: Void.self) { group in
                group.addTask { await saver.run() }
                defer { group.cancelAll() }
                do throws(WalkError) {
                    return Ending.walked(try await walker.run())
                } catch {
                    return Ending.failed(error)
                }
            }
            // At the end the disk may fail a few times, as a person would try again.
            for _ in 0..<10 {
                if (try? await saver.save()) != nil { break }
            }
            self.state.withLock { $0.ending = ending }
        }
        state.withLock { $0.task = task }
    }

    /// Waits for as long as a message takes, whoever is cancelled; a dead process waits for nothing.
    func pause(in world: World) async {
        if isAlive { await world.clock.sleepThrough(for: world.latency()) }
    }

    /// Asks the process to stop.
    func stop() { state.withLock(\.task)?.cancel() }

    /// Ends the process without asking: nothing that it does from now on has an effect.
    func kill() {
        state.withLock { $0.isAlive = false }
        stop()
    }
}
