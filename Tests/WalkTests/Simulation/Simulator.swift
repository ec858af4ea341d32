import Records
import Walk

/// Runs the real walk through a scenario, on one thread and in no time, and says what was wrong.
///
/// The same seed gives the same course, job by job.
struct Simulator {
    /// What a simulation has shown.
    struct Report: Equatable {
        /// What must not have happened.
        let violations: [String]
        /// How the last process ended.
        let ending: SimulatedProcess.Ending?
        /// What is in the checkpoint at the end.
        let checkpoint: Checkpoint?
        /// A digest of everything that happened.
        let digest: UInt64
        /// Everything that happened, if it was asked for.
        let trace: [String]
        /// How many jobs were run.
        let jobs: Int
    }

    /// The daemon's name.
    static let name = "simulation"
    /// The stream that is walked.
    static let stream = WalkTests.stream
    /// The shortest time between two calls of DescribeStream.
    static let describeInterval = Duration.milliseconds(200)
    /// How long a stop may take.
    private static let stopDeadline = Duration.seconds(40)
    /// How long after the last trouble everything has to be applied.
    private static let calmDeadline = Duration.seconds(300)
    /// More jobs than this without time going on are a loop.
    private static let jobsAtOnce = 200_000

    private let world: World
    private let executor: SeededExecutor
    private var process: SimulatedProcess?
    private var events: ArraySlice<(time: Duration, event: Scenario.Event)>
    private var jobs = 0
    private var jobsUntilKill: Int?
    private var stopDue: Duration?
    private var ending: SimulatedProcess.Ending?

    private init(_ world: World) {
        self.world = world
        executor = SeededExecutor(seed: world.scenario.seed &+ 2)
        events = world.scenario.events[...]
    }

    /// Runs a scenario.
    static func run(_ scenario: Scenario, isTracing: Bool = false) throws -> Report {
        let world = World(scenario, isTracing: isTracing)
        var simulator = Simulator(world)
        try simulator.run()
        return world.access { state in
            Report(
                violations: state.violations, ending: simulator.ending, checkpoint: state.disk,
                digest: state.digest, trace: state.trace, jobs: simulator.jobs)
        }
    }

    private var scenario: Scenario { world.scenario }
    private var now: Duration { world.clock.uptime }
    private var isGood: Bool { world.access { $0.violations.isEmpty } }

    // MARK: The course

    private mutating func run() throws {
        while isGood {
            runJobs()
            if isOver() { break }
            guard let next = [world.clock.nextDue, events.first?.time].compactMap(\.self).min()
            else {
                world.violate("nothing will ever happen: \(missing().first ?? "")")
                break
            }
            world.clock.advance(to: next)
            while let (time, event) = events.first, time <= now {
                events.removeFirst()
                try perform(event)
            }
        }
        // A process that is left behind would hold on to everything.
        if process != nil { kill() }
    }

    private mutating func runJobs() {
        var count = 0
        while executor.runOne() {
            jobs += 1
            count += 1
            if let left = jobsUntilKill {
                jobsUntilKill = left - 1
                if left <= 0 { kill() }
            }
            guard count < Self.jobsAtOnce else { return world.violate("the walk spins") }
        }
        guard let held = process?.memory.held, held > bytesMaximum else { return }
        world.violate("pages hold \(held) bytes")
    }

    /// The bytes that pages may hold: the limit, and by how much the pages under way may exceed what is expected of them.
    private var bytesMaximum: Int {
        let expected = min(scenario.byteLimit, 64 << 10)
        let largest = scenario.hasLargeRecords ? 250_000 : 2_000
        return scenario.byteLimit
            + scenario.byteLimit / expected * max(0, largest - expected)
    }

    private mutating func perform(_ event: Scenario.Event) throws {
        let time = world.clock.serviceTime
        world.note("\(event)")
        switch event {
        case .enable(let shards):
            let slots = scenario.slots
            world.access { $0.model.enable(shards: shards, slots: slots, at: time) }
        case .write(let slot): world.access { $0.model.write(slot: slot, at: time) }
        case .rollOver(let choice, let splitting):
            world.access { $0.model.rollOver(choice, splitting: splitting, at: time) }
        case .disable: world.access { $0.model.disable(at: time) }
        case .endDisabling: world.access { $0.model.endDisabling() }
        case .start: try start(.follow)
        case .replay: try start(.catchUp(to: world.clock.time))
        case .kill(let jobs): jobsUntilKill = jobs
        case .stop: stop()
        }
    }

    private mutating func stop() {
        process?.stop()
        stopDue = now + Self.stopDeadline
        runJobs()
    }

    private mutating func start(_ goal: Goal) throws {
        if process != nil {
            guard stopDue == nil else { return world.violate("the daemon does not stop") }
            kill()
        }
        let time = world.clock.serviceTime
        let problem = world.access { [scenario] state -> String? in
            state.cache.written = [:]
            state.cache.remembered = [:]
            guard let disk = state.disk, let stream = disk.streams[Self.stream] else {
                state.latestAt = [:]
                return nil
            }
            state.cache.remembered = Invariants(state, stream.beginning, time: time, scenario)
                .remembered(by: stream)
            let read = try? Checkpoint(decoding: disk.encoded(), name: Self.name)
            return read == disk ? nil : "the checkpoint is not read as it was written"
        }
        if let problem { world.violate(problem) }
        let process = SimulatedProcess(world, goal: goal)
        self.process = process
        try process.start(in: world, on: executor)
    }

    private mutating func kill() {
        jobsUntilKill = nil
        guard let process else { return }
        world.note("killed")
        process.kill()
        world.clock.wakeAll()
        executor.runAll()
        if process.ending == nil { world.violate("a walk that is cancelled goes on waiting") }
        end(process)
    }

    private mutating func end(_ process: SimulatedProcess) {
        if process.memory.held != 0 { world.violate("\(process.memory.held) bytes are held") }
        self.process = nil
        stopDue = nil
        jobsUntilKill = nil
    }

    // MARK: The end

    /// Whether the scenario is over; looks at how processes end, too.
    private mutating func isOver() -> Bool {
        if let process, let ending = process.ending {
            world.note("ended: \(ending)")
            self.ending = ending
            end(process)
            return isOver(with: ending, process)
        }
        if let stopDue, now > stopDue { world.violate("the daemon does not stop") }
        guard now >= scenario.calm, events.isEmpty else { return false }
        if now > scenario.calm + Self.calmDeadline {
            let nodes = process?.progress.streams[Self.stream]?.tree.nodes ?? [:]
            let phases = nodes.filter { $0.value.phase != .done }
                .map { "\($0.key) is \($0.value.phase)" }.sorted()
            world.violate(
                "not caught up: \(missing().first ?? "the walk does not end") \(phases)")
            return true
        }
        if scenario.ending == .never, stopDue == nil, missing().isEmpty {
            stop()
            return isOver()
        }
        return false
    }

    private mutating func isOver(
        with ending: SimulatedProcess.Ending, _ process: SimulatedProcess
    ) -> Bool {
        switch ending {
        case .walked(.cancelled) where events.isEmpty: break
        case .walked(.cancelled): return false
        case .walked(.drained) where scenario.ending == .drained && events.isEmpty: break
        case .walked(.caughtUp(blocked: 0)) where scenario.ending == .caughtUp: break
        case _ where scenario.ending == .any: return true
        default: world.violate("the walk ends: \(ending)")
        }
        var limit = Double.infinity
        if case .catchUp(let time) = process.goal { limit = min(time, process.startedAt) - 1 }
        for text in missing(madeBefore: limit) { world.violate("at the end: \(text)") }
        let time = world.clock.serviceTime
        let differences = world.access { [scenario] state in
            Invariants(state, nil, time: time, scenario).differences()
        }
        for text in differences { world.violate("at the end: \(text)") }
        return true
    }

    private func missing(madeBefore limit: Double = .infinity) -> [String] {
        let time = world.clock.serviceTime
        return world.access { [scenario, process] state in
            let live = process?.progress.streams[Self.stream]
            let disk = state.disk?.streams[Self.stream]
            guard let beginning = live?.tree.beginning ?? disk?.beginning else {
                return ["the stream has not begun"]
            }
            return Invariants(state, beginning, time: time, scenario)
                .missing(madeBefore: limit, live?.gaps ?? disk?.gaps ?? [])
        }
    }
}
