import Records
package import Walk

/// Runs the real walk through a scenario, on one thread and in no time, and says what was wrong.
///
/// The same seed gives the same course, job by job.
package struct Simulator {
    /// What a simulation has shown.
    package struct Report: Equatable, Sendable {
        /// What must not have happened.
        package let violations: [String]
        /// How the last process ended.
        package let ending: SimulatedProcess.Ending?
        /// What is in the checkpoint at the end.
        package let checkpoint: Checkpoint?
        /// A digest of everything that happened.
        package let digest: UInt64
        /// Everything that happened, if it was asked for.
        package let trace: [String]
        /// How many jobs were run.
        package let jobs: Int
        /// What had been done whenever the scenario looked, and at the end.
        package let looks: [Look]
        /// What the last process has applied, in its order.
        package let applied: [Application]
    }

    /// What has been done by a moment.
    package struct Look: Equatable, Sendable {
        /// The time since the beginning.
        package let uptime: Duration
        /// How often the stream's service was called.
        package let calls: CallCounts
        /// How many jobs were run.
        package let jobs: Int
    }

    /// A change that was applied.
    package struct Application: Equatable, Sendable {
        /// The key that was changed.
        package let key: String
        /// When the change was made, by the time since the beginning.
        package let madeAt: Duration
        /// When the cache had acknowledged it.
        package let appliedAt: Duration
    }

    /// The daemon's name.
    package static let name = "simulation"
    /// The stream that is walked.
    package static let stream: StreamARN = {
        let text =
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
        guard let stream = StreamARN(text) else { preconditionFailure("a stream's name") }
        return stream
    }()
    /// The shortest time between two calls of DescribeStream.
    static let describeInterval = Duration.milliseconds(200)
    /// How long after it was applied a record may not be remembered, on a disk where a tenth of the saves fail.
    static let saveDeadline = SimulatedProcess.saveBeat * 10
    /// How long a stop may take.
    private static let stopDeadline = Duration.seconds(40)
    /// How long after the last trouble everything has to be applied, beside what the pages take.
    private static let calmDeadline = Duration.seconds(60)
    /// More jobs than this without time going on are a loop.
    private static let jobsAtOnce = 200_000

    private let world: World
    private let executor: SeededExecutor
    private var process: SimulatedProcess?
    private var events: ArraySlice<(time: Duration, event: Scenario.Event)>
    private var jobs = 0
    private var jobsUntilKill: Int?
    private var isLosingPower = false
    /// When a process is started again that died by itself.
    private var respawnDue: Duration?
    private var goal = Goal.follow
    private var stopDue: Duration?
    private var ending: SimulatedProcess.Ending?
    private var looks: [Look] = []
    private let observer: () -> Void

    private init(_ world: World, _ observer: @escaping () -> Void) {
        self.world = world
        self.observer = observer
        executor = SeededExecutor(seed: world.scenario.seed &+ 2)
        events = world.scenario.events[...]
    }

    /// Runs a scenario; whenever it looks, and at its end, the `observer` may look as well.
    ///
    /// - Throws: nothing that a scenario could bring about.
    package static func run(
        _ scenario: Scenario, isTracing: Bool = false, observer: @escaping () -> Void = {}
    ) throws -> Report {
        let world = World(scenario, isTracing: isTracing)
        var simulator = Simulator(world, observer)
        try simulator.run()
        simulator.look()
        return world.access { state in
            Report(
                violations: state.violations, ending: simulator.ending,
                checkpoint: state.saved.content,
                digest: state.digest, trace: state.trace, jobs: simulator.jobs,
                looks: simulator.looks,
                applied: state.cache.applied.map { time, key, version in
                    Application(
                        key: key,
                        madeAt: world.clock.uptime(at: state.model.time(of: key, version)),
                        appliedAt: world.clock.uptime(at: time))
                })
        }
    }

    private mutating func look() {
        looks.append(Look(uptime: now, calls: world.access(\.calls), jobs: jobs))
        observer()
    }

    private var scenario: Scenario { world.scenario }
    private var now: Duration { world.clock.uptime }
    private var isGood: Bool { world.access { $0.violations.isEmpty } }

    // MARK: The course

    private mutating func run() throws {
        while isGood {
            runJobs()
            if isOver() { break }
            guard
                let next = [world.clock.nextDue, events.first?.time, respawnDue]
                    .compactMap(\.self).min()
            else {
                world.violate("nothing will ever happen: \(missing().first ?? "")")
                break
            }
            world.clock.advance(to: next)
            while let (time, event) = events.first, time <= now {
                events.removeFirst()
                try perform(event)
            }
            if let due = respawnDue, due <= now { try start(goal) }
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
            if process?.life.isOn == false { respawn() }
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
        case .kill(let jobs):
            respawnDue = nil
            jobsUntilKill = process.map { _ in jobs }
        case .losePower(let jobs):
            respawnDue = nil
            jobsUntilKill = process.map { _ in jobs }
            isLosingPower = true
            if process == nil { losePower() }
        case .setClock(let skew): world.clock.set(skew: skew)
        case .failOver(let seconds): world.access { $0.cache.forget(since: time - seconds) }
        case .stop: stop()
        case .look: look()
        }
    }

    private mutating func stop() {
        respawnDue = nil
        guard let process else { return }
        process.stop()
        stopDue = now + Self.stopDeadline
        runJobs()
    }

    private mutating func start(_ goal: Goal) throws {
        respawnDue = nil
        self.goal = goal
        if process != nil {
            guard stopDue == nil else { return world.violate("the daemon does not stop") }
            kill()
        }
        let problem = world.access { [scenario, clock = world.clock] state -> String? in
            state.cache.written = [:]
            state.cache.applied = []
            state.cache.remembered = [:]
            let stream = state.saved.content?.streams[Self.stream]
            state.saved.hasBeginning = stream != nil
            guard let saved = state.saved.content, let stream else {
                state.latestAt = [:]
                state.latestAsked = []
                return nil
            }
            let begunAt = stream.beginning.time
            state.cache.remembered = Invariants(state, begunAt: begunAt, clock, scenario)
                .remembered(by: stream)
            return SimulatedDisk.decode(saved.encoded()) == saved
                ? nil : "the checkpoint is not read as it was written"
        }
        if let problem { world.violate(problem) }
        do {
            let process = try SimulatedProcess(world, goal: goal)
            self.process = process
            try process.start(in: world, on: executor)
        } catch let error as CheckpointError {
            // Whoever watches over the process starts it again.
            if error.kind != .storage { world.violate("\(error)") }
            respawnDue = now + .seconds(1)
        }
    }

    /// Clears away a process that died by itself; another one takes its place.
    private mutating func respawn() {
        kill()
        respawnDue = now + .seconds(1)
    }

    private mutating func kill() {
        jobsUntilKill = nil
        guard let process else { return }
        world.note("killed")
        let forgotten = world.access { [scenario, clock = world.clock] state in
            Invariants(state, begunAt: nil, clock, scenario)
                .forgotten(by: state.saved.content?.streams[Self.stream])
        }
        if let forgotten { world.violate(forgotten) }
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
        world.access { $0.disk.unlockAll() }
        if isLosingPower { losePower() }
    }

    private mutating func losePower() {
        isLosingPower = false
        world.note("the power is lost")
        let isBad = world.access { state in
            state.disk.losePower(using: &state.generator)
            let bytes = state.disk.read(SimulatedDisk.path)
            defer { state.saved.possible = [bytes] }
            state.saved.bytes = bytes
            state.saved.content = bytes.flatMap(SimulatedDisk.decode)
            return !state.saved.possible.contains(bytes)
        }
        if isBad { world.violate("the power was lost, and with it a checkpoint that was saved") }
    }

    // MARK: The end

    /// How long it may take to read all pages one after the other, with the empty ones between them.
    private var pagesDeadline: Duration {
        let call = Duration.milliseconds(Int(2 * scenario.latencyMaximum))
        let stretch = (scenario.idle.maximum + call) * scenario.emptyPages / 4
        let records = world.access { $0.model.places.values.reduce(0) { $0 + $1.count } }
        let shards = world.access { $0.model.ids.count }
        return (call * 2 + stretch) * (records / scenario.recordsPage + shards + 1)
            // Children that come late are looked for by whole listings, with pauses between them.
            + .seconds(shards / scenario.listingPage + 1) * 4
            + (scenario.ending == .drained ? DiscoveryPlan.lookingMinimumAtEnd : .zero)
            // What is listed and not found is doubted for a while, and for another one at half its age.
            + (scenario.isForgetful ? .seconds(900) : .zero)
    }

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
        if now > scenario.calm + Self.calmDeadline + pagesDeadline {
            let nodes = process?.progress.streams[Self.stream]?.tree.nodes ?? [:]
            let phases = nodes.filter { $0.value.phase != .done }
                .map { "\($0.key) is \($0.value.phase)" }.sorted()
            world.violate(
                "not caught up: \(missing().first ?? differences().first ?? "the walk does not end") \(phases)"
            )
            return true
        }
        // What was applied before a kill and is applied again may take the cache back for a moment.
        if scenario.ending == .never, stopDue == nil, missing().isEmpty, differences().isEmpty {
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
        for text in differences(madeBefore: limit) { world.violate("at the end: \(text)") }
        return true
    }

    private func differences(madeBefore limit: Double = .infinity) -> [String] {
        world.access { [scenario, clock = world.clock] state in
            Invariants(state, begunAt: nil, clock, scenario)
                .differences(madeBefore: limit)
        }
    }

    private func missing(madeBefore limit: Double = .infinity) -> [String] {
        world.access { [scenario, process, clock = world.clock] state in
            let live = process?.progress.streams[Self.stream]
            let disk = state.saved.content?.streams[Self.stream]
            guard let beginning = live?.tree.beginning ?? disk?.beginning else {
                return ["the stream has not begun"]
            }
            return Invariants(state, begunAt: beginning.time, clock, scenario)
                .missing(madeBefore: limit, live?.gaps ?? disk?.gaps ?? [])
        }
    }
}
