import Logging
import Records
import Synchronization
package import Walk

/// One process of the daemon, from its start to its end.
package final class SimulatedProcess: Sendable {
    /// How a process came to its end.
    package enum Ending: Equatable, Sendable {
        /// Its walk has ended by itself, or was asked to.
        case walked(Walker<SimulatedStream, SimulatedCache, SimulatedClock>.Ending)
        /// Its stream can't be walked.
        case failed(WalkError)
    }

    private struct State {
        var ending: Ending?
        var task: Task<Void, Never>?
    }

    /// How often the checkpoint is saved, at most.
    static let saveBeat = Duration.seconds(1)

    /// Whether it has been killed.
    let life = Life()
    /// What the walk has applied.
    let progress: Progress
    /// The bytes that it may hold.
    let memory: ByteBudget
    /// The goal of the walk.
    let goal: Goal
    /// When the process began, in seconds since 1970 by the service's clock.
    let startedAt: Double
    private let disk: SimulatedDisk
    private let state = Mutex(State())

    /// A process with what the disk remembers.
    init(_ world: World, goal: Goal) throws(CheckpointError) {
        self.goal = goal
        startedAt = world.clock.serviceTime
        disk = try SimulatedDisk(world, life)
        progress = Progress(name: Simulator.name, resuming: try disk.load())
        memory = ByteBudget(limit: world.scenario.byteLimit)
    }

    /// How it ended; nil while it runs.
    var ending: Ending? { state.withLock(\.ending) }
    /// When and where its stream was begun; nil before that.
    var beginning: Checkpoint.Beginning? { progress.streams[Simulator.stream]?.tree.beginning }
    /// When its stream was begun, in seconds since 1970 by the daemon's clock; nil before that.
    var begunAt: Double? { beginning?.time }

    /// Starts the daemon.
    func start(in world: World, on executor: SeededExecutor) throws(InvalidKeyTemplate) {
        let logger = Logger(label: "simulation") { _ in SimulatedLog(world: world) }
        let (holdsPositions, onCacheLoss) = world.access { ($0.holdsPositions, $0.onCacheLoss) }
        let clock = world.clock
        let saver = CheckpointSaver(
            progress, to: disk, every: Self.saveBeat, clock: clock, logger: logger)
        let walker = Walker(
            Simulator.stream, from: world.scenario.start,
            mapping: Mapping(key: try KeyTemplate("{id}")), goal: goal,
            seed: world.scenario.seed,
            parts: WalkParts(
                source: SimulatedStream(world, for: self),
                sink: SimulatedCache(
                    world: world, process: self, holdsPositions: holdsPositions), clock: clock,
                progress: progress, memory: memory,
                calls: CallBudget(callsPerSecond: 5, clock: clock), idle: world.scenario.idle,
                onCacheLoss: onCacheLoss, beat: world.scenario.beat, logger: logger,
                remember: { await saver.saveOrReport() }))
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

    /// Asks the process to stop.
    func stop() { state.withLock(\.task)?.cancel() }

    /// Ends the process without asking.
    func kill() {
        life.end()
        stop()
    }
}
