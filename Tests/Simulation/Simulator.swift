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
    private static let calmDeadline = Duration.seconds(90)
    /// How long after its end the position of a shard may be in the cache that is not listed any more, in seconds.
    private static let forgetDeadline = 400.0
    /// More jobs than this without time going on are a loop.
    private static let jobsAtOnce = 200_000

    private let world: World
    private let executor: SeededExecutor
    private var process: SimulatedProcess?
    private var events: ArraySlice<(time: Duration, event: Scenario.Event)>
    private var jobs = 0
    private var jobsUntilKill: Int?
    private var isLosingPower = false
    /// What happens before the next process begins.
    private var changes: [Scenario.Event] = []
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
                applied: state.notes.applied.map { time, key, version in
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
            world.executeStrays()
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
        case .failOver(let seconds):
            lose(byCommand: false) { $0.forget(since: time - seconds) }
        case .disconnect: world.access { $0.breakConnection() }
        // What cannot be noticed does not happen: that something is lost that is being written, or that is known to be.
        case .empty(byCommand: true), .evict, .removePositions:
            guard world.access({ $0.cache.content.beginning != nil && $0.isCurrent }) else { break }
            take(event)
        case .empty(byCommand: false): lose(byCommand: false) { $0.empty(at: time) }
        case .intrude:
            world.access { world in
                guard let shard = world.cache.content.positions.keys.min() else { return }
                world.cache.setPosition("1", of: shard, at: time)
            }
        case .loseCheckpoint, .restoreCheckpoint, .switchPositions: changes.append(event)
        case .stop: stop()
        case .look: look()
        }
    }

    /// Takes something from the cache; all but a command breaks the connections as well.
    private func lose(byCommand: Bool, _ change: (inout CacheModel) -> Void) {
        world.access { world in
            let before = world.cache.content
            change(&world.cache)
            if !byCommand {
                world.cache.strays = []
                world.breakConnection()
            }
            world.noteLoss(at: self.world.clock.serviceTime, before: before, isParted: byCommand)
        }
    }

    /// Takes something from the cache by a command.
    private func take(_ event: Scenario.Event) {
        let time = world.clock.serviceTime
        switch event {
        case .empty: lose(byCommand: true) { $0.empty(at: time) }
        case .evict: part { $0.removePositions(byEviction: true, at: time) }
        case .removePositions(let count?):
            let all = world.access { $0.cache.content.positions.keys.sorted() }
            guard !all.isEmpty else { break }
            let first = Int(world.random(0...Double(all.count - 1)))
            let seen = world.access(\.notes.lossesToSee)
            part {
                $0.removePositions(Array((all[first...] + all[..<first]).prefix(count)), at: time)
            }
            world.access { $0.notes.lossesToSee = seen }
        default: part { $0.removePositions(byEviction: false, at: time) }
        }
    }

    /// Takes positions from the cache, and no values.
    private func part(_ change: (inout CacheModel) -> Void) {
        world.access { world in
            change(&world.cache)
            // What was evicted is written again, as the process knows it.
            world.noteLoss(
                at: self.world.clock.serviceTime, before: CacheModel.Content(),
                isParted: !world.cache.isEvicted)
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
        for change in changes { prepare(change) }
        changes = []
        let problem = world.access { [scenario, clock = world.clock] state -> String? in
            state.notes.order = [:]
            state.notes.applied = []
            state.notes.appliedBeforeLoss = 0
            state.notes.remembered = [:]
            state.notes.recovered = 0
            state.notes.hasToEnd = false
            state.notes.causes += 1
            // Nobody keeps them from being executed where there are no positions.
            if !state.holdsPositions { state.cache.strays = [] }
            let content = state.cache.content
            if !state.holdsPositions || content.beginning == nil && !content.versions.isEmpty {
                state.notes.isExact = false
            }
            let stream = state.saved.content?.streams[Self.stream]
            state.saved.hasBeginning = stream != nil
            guard let saved = state.saved.content, let stream else {
                guard !state.holdsPositions else { return nil }
                state.latestAt = [:]
                state.latestAsked = []
                return nil
            }
            if !state.holdsPositions {
                state.notes.remembered = Invariants(state, stream.beginning, clock, scenario)
                    .remembered(by: stream.shards.mapValues(\.position))
            }
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

    /// Changes what the next process finds.
    private func prepare(_ change: Scenario.Event) {
        world.access { state in
            var bytes: [UInt8]?
            switch change {
            case .switchPositions(let isOn):
                state.holdsPositions = isOn
                return
            case .restoreCheckpoint(let saves):
                guard let former = state.saved.former.suffix(saves).first else { return }
                bytes = former
            default: break
            }
            state.disk.put(bytes, at: SimulatedDisk.path)
            state.saved.bytes = bytes
            state.saved.content = bytes.flatMap(SimulatedDisk.decode)
            state.saved.possible = [bytes]
            // What it says may have been lost since, and taken in by a process that it knows nothing of.
            state.notes.mayRewind = true
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
            Invariants(state, nil, clock, scenario)
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
        world.access { state in
            state.disk.unlockAll()
            state.breakConnection()
        }
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
            state.notes.mayRewind = true
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
            world.violate("not caught up: \(unfinished() ?? "the walk does not end") \(phases)")
            return true
        }
        // What was applied before a kill and is applied again may take the cache back for a moment.
        if scenario.ending == .never, stopDue == nil, process != nil, unfinished() == nil {
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
        case .failed(.cacheLost) where world.access(\.notes.hasToEnd):
            // Somebody has decided.
            world.access { world in
                world.onCacheLoss = .rewind
                // The next process has to see it as well.
                world.notes.lossesSeen = -1
            }
            respawnDue = now + .seconds(1)
            return false
        default: world.violate("the walk ends: \(ending)")
        }
        // What is lost when the last answer is there, nobody can know.
        if world.access({ $0.notes.lostAt >= $0.notes.answeredAt && $0.notes.losses > 0 }) {
            return true
        }
        var limit = Double.infinity
        if case .catchUp(let time) = process.goal { limit = min(time, process.startedAt) - 1 }
        // By a listing from before the stream began there is nothing to be replayed.
        if process.progress.streams[Self.stream]?.tree.nodes.isEmpty != false { return true }
        for text in missing(madeBefore: limit) { world.violate("at the end: \(text)") }
        for text in differences(madeBefore: limit) { world.violate("at the end: \(text)") }
        if scenario.ending != .caughtUp, let text = unrecovered() {
            world.violate("at the end: \(text)")
        }
        return true
    }

    /// What is still to be done; nil when nothing is.
    private func unfinished() -> String? {
        missing().first ?? differences().first ?? unseen() ?? unrecovered() ?? unforgotten()
    }

    /// Whether the walk has not seen yet that something is lost.
    private func unseen() -> String? {
        world.access { state in
            state.holdsPositions && state.notes.lossesSeen < state.notes.lossesToSee
                ? "a loss is not noticed" : nil
        }
    }

    /// What is known to be lost and is not written again, or not said to be.
    private func unrecovered() -> String? {
        world.access { [process] state in
            let live = process?.progress.streams[Self.stream]?.lost
            let lost = live ?? state.saved.content?.streams[Self.stream]?.lost ?? [:]
            // Where nobody knows what the trim horizon hides, it is given up a day later.
            if let id = lost.keys.min(), !scenario.isForgetful { return "\(id) has lost records" }
            guard !scenario.losesRecords else { return nil }
            if let place = state.notes.pending.first { return "\(place) is lost" }
            return state.notes.recovered == 0
                ? nil : "\(state.notes.recovered) records are written again without a word"
        }
    }

    /// Which position the cache still holds that nobody needs.
    private func unforgotten() -> String? {
        world.access { [process, clock = world.clock] state in
            guard state.holdsPositions else { return nil }
            let positions = state.cache.content.positions
            let time = clock.serviceTime
            let nodes = process?.progress.streams[Self.stream]?.tree.nodes ?? [:]
            return positions.keys.sorted().first { id in
                guard let shard = state.model.shards[id], !shard.isListed(at: time),
                    !state.notes.kept.contains(id),
                    let finishedAt = nodes[id]?.memory.finishedAt,
                    finishedAt < clock.time - Self.forgetDeadline
                else { return false }
                // As far as the walk knows the lineage.
                let children = nodes.filter { $0.value.memory.parent == id }
                return !children.isEmpty && children.allSatisfy { positions[$0.key] != nil }
            }.map { "the position of \($0) is still in the cache" }
        }
    }

    private func differences(madeBefore limit: Double = .infinity) -> [String] {
        world.access { [scenario, clock = world.clock] state in
            Invariants(state, nil, clock, scenario)
                .differences(madeBefore: limit)
        }
    }

    private func missing(madeBefore limit: Double = .infinity) -> [String] {
        world.access { [scenario, process, clock = world.clock] state in
            let live = process?.progress.streams[Self.stream]
            let disk = state.saved.content?.streams[Self.stream]
            guard
                let beginning = live?.tree.beginning ?? disk?.beginning
                    ?? state.cache.content.beginning
            else {
                return ["the stream has not begun"]
            }
            return Invariants(state, beginning, clock, scenario)
                .missing(madeBefore: limit, live?.gaps ?? disk?.gaps ?? [])
        }
    }
}
