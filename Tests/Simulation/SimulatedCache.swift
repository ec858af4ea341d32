package import Records
package import Walk

/// The cache as one process of the daemon sees it: it fails before or after it has done what it was told, connections
/// break, and what was sent over one that is broken may be done much later.
package struct SimulatedCache: Sink {
    let world: World
    let process: SimulatedProcess
    package let holdsPositions: Bool

    /// How long after its connection is broken a transaction may be executed, in seconds.
    private static let strayMaximum = 8.0

    private var scenario: Scenario { world.scenario }

    // MARK: Writing

    package func apply(_ changes: ChangeSet, _ step: Step?) async throws(SinkError) {
        let write = CacheModel.Write(values: values(of: changes), step: step)
        if let step {
            let refusal = refusal(of: write)
            let before = try await transact(step.era, stray: write, refusal: refusal) {
                world.execute(write, process.beginning)
            }
            try examine(before, step)
        } else {
            try await applyAlone(write)
        }
        noteApplied(write)
    }

    /// Says what the position that stood in the place of the step's says.
    private func examine(_ before: String?, _ step: Step) throws(SinkError) {
        guard before != step.from.cached else { return }
        guard let before else {
            world.note("the cache has no position of \(step.shard)")
            world.access { $0.cache.beginEra() }
            throw SinkError(.outdated, "the position is missing")
        }
        throw SinkError(.foreign, "\(before) instead of \(step.from) of \(step.shard)")
    }

    /// Writes without positions: after a failure any part may be written.
    private func applyAlone(_ write: CacheModel.Write) async throws(SinkError) {
        // A write that is under way is finished, whoever is cancelled.
        await process.life.pause(in: world)
        guard process.life.isOn else { throw SinkError(.unavailable, "the process has ended") }
        let fault = refusal(of: write) ?? fault
        let isBefore = world.happens(0.5)
        if let fault, isBefore { throw fault }
        _ = world.execute(write, process.beginning)
        await process.life.pause(in: world)
        guard process.life.isOn else { throw SinkError(.unavailable, "the process has ended") }
        if let fault { throw fault }
    }

    private func values(of changes: ChangeSet) -> [(key: String, value: String?)] {
        var values: [(key: String, value: String?)] = []
        changes.forEach(in: 0..<changes.count) { key, value in
            values.append(
                (
                    String(decoding: key, as: UTF8.self),
                    value.map { String(decoding: $0, as: UTF8.self) }
                ))
        }
        return values
    }

    private func refusal(of write: CacheModel.Write) -> SinkError? {
        guard let refused = scenario.refusedKeys,
            write.values.contains(where: { $0.key.hasPrefix(refused) })
        else { return nil }
        return SinkError(.refused, "simulated")
    }

    /// Notes what was acknowledged.
    private func noteApplied(_ write: CacheModel.Write) {
        let time = world.clock.serviceTime
        world.access { world in
            for (key, value) in write.values {
                guard let version = world.model.version(of: key, value: value) else { continue }
                let known = world.notes.acknowledged[key] ?? 0
                world.notes.acknowledged[key] = max(version, known)
                world.notes.applied.append((time, key, version))
            }
            guard let step = write.step else { return }
            let found = world.notes.pending.filter { place in
                place.shard == step.shard && step.to.covers(place.number)
            }
            world.notes.pending.subtract(found)
            if !write.values.isEmpty { world.notes.recovered += found.count }
        }
    }

    // MARK: Positions

    package func memory(of stream: StreamARN) async throws(SinkError) -> CacheMemory {
        let (content, isEvicted, losses, era) = try await transact(nil) {
            world.access { world in
                world.cache.strays = []
                return (
                    world.cache.content, world.cache.isEvicted, world.notes.losses,
                    world.cache.era
                )
            }
        }
        let known = process.progress.streams[stream]?.memory
        world.note("positions are read: \(content.positions.count), era \(era)")
        let (problem, isLoop) = world.access { [scenario, clock = world.clock] world in
            let problem = world.takeUp(
                content, isEvicted: isEvicted, losses: losses, by: known, clock, scenario)
            return (problem, world.notes.takeUps > world.notes.causes * 2 + 2)
        }
        if let problem { world.violate(problem) }
        if isLoop { world.violate("positions are read again and again") }
        return CacheMemory(
            era: era, beginning: content.beginning, positions: content.readPositions,
            isEvicted: isEvicted)
    }

    package func establish(
        _ stream: StreamARN, _ memory: Checkpoint.Stream, era: Int
    ) async throws(SinkError) {
        let clock = world.clock
        let problem = try await transact(era) {
            world.access { world -> String? in
                world.cache.replacePositions(
                    memory.beginning, memory.shards.compactMapValues(\.position.cached),
                    at: clock.serviceTime)
                world.notes.mayRewindUntilEstablished = false
                world.notes.beginnings.append(memory.beginning)
                if world.notes.hasToEnd { return "positions are written by a walk that was to end" }
                return Invariants(world, memory.beginning, clock, scenario).problem(inHolding: nil)
            }
        }
        world.note("positions are written: \(memory.shards.count)")
        if let problem { world.violate(problem) }
    }

    package func forget(
        _ shards: [ShardID], of stream: StreamARN, era: Int
    ) async throws(SinkError) {
        let clock = world.clock
        let beginning = process.beginning
        world.access { $0.notes.kept.formUnion(shards) }
        let problem = try await transact(era) {
            world.access { world -> String? in
                let check = Invariants(world, beginning, clock, scenario)
                let problems = shards.compactMap(check.problem(inRemoving:))
                world.cache.removePositions(shards, at: clock.serviceTime)
                world.notes.kept.subtract(shards)
                return problems.first
            }
        }
        world.note("positions are removed: \(shards)")
        if let problem { world.violate(problem) }
    }

    package func expire(_ stream: StreamARN, era: Int) async throws(SinkError) {
        let problem = try await transact(era) {
            world.access { world -> String? in
                // No scenario is so long that they would be gone within it.
                let left = world.cache.content.readPositions.filter { $0.value != .end }.keys.min()
                return left.map { "all positions are to expire, and \($0) is not over" }
            }
        }
        if let problem { world.violate(problem) }
    }

    package func beat(_ stream: StreamARN, era: Int) async throws(SinkError) {
        let hasPositions = try await transact(era) {
            world.access { $0.cache.content.beginning != nil }
        }
        guard !hasPositions else { return }
        world.access { $0.cache.beginEra() }
        throw SinkError(.outdated, "there are no positions")
    }

    // MARK: Connections

    /// Sends a transaction of an era, or of any, and waits for the answer.
    ///
    /// What is sent over a connection that breaks is lost, or done without an answer, or done later if it may `stray`.
    private func transact<Answer: Sendable>(
        _ era: Int?, stray: CacheModel.Write? = nil, refusal: SinkError? = nil,
        _ effect: () -> Answer
    ) async throws(SinkError) -> Answer {
        let connection = try connect(era)
        let losses = world.access(\.notes.losses)
        // A write that is under way is finished, whoever is cancelled.
        await process.life.pause(in: world)
        guard process.life.isOn else { throw lost(stray, losses) }
        guard world.access({ $0.cache.connection == connection }) else { throw lost(stray, losses) }
        var isAnswered = true
        if let fault = refusal ?? fault {
            guard fault.kind == .unavailable, world.happens(0.5) else { throw fault }
            world.access { $0.breakConnection() }
            if world.happens(0.5) { throw lost(stray, losses) }
            isAnswered = false
        }
        let answer = effect()
        let answeredAt = world.clock.serviceTime
        await process.life.pause(in: world)
        guard process.life.isOn else { throw SinkError(.unavailable, "the process has ended") }
        guard isAnswered, world.access({ $0.cache.connection == connection }) else {
            throw SinkError(.unavailable, "the connection is broken, and an answer lost")
        }
        world.access { $0.notes.answeredAt = answeredAt }
        return answer
    }

    /// The connection to send something over of an era, or of any.
    private func connect(_ era: Int?) throws(SinkError) -> Int {
        guard process.life.isOn else { throw SinkError(.unavailable, "the process has ended") }
        if world.access({ $0.cache.connection == nil }) {
            if let fault { throw fault }
            world.note("the cache is connected")
            world.access { $0.cache.connect() }
        }
        let (connection, present) = world.access { ($0.cache.connection, $0.cache.era) }
        guard let connection else { throw SinkError(.unavailable, "the connection is broken") }
        if let era, era != present { throw SinkError(.outdated, "the connection was made anew") }
        return connection
    }

    /// What becomes of a transaction whose connection breaks under way: it is lost, or done later.
    private func lost(_ stray: CacheModel.Write?, _ losses: Int) -> SinkError {
        if let stray, world.happens(0.4) {
            let delay = world.random(0...Self.strayMaximum)
            world.note("a transaction strays for \(delay) seconds")
            world.access { [now = world.clock.uptime] world in
                // Another server does not get it, and one that was emptied has no such connection.
                guard world.notes.losses == losses else { return }
                world.cache.strays.append(
                    CacheModel.Stray(due: now + .seconds(delay), write: stray))
            }
        }
        return SinkError(.unavailable, "the connection is broken")
    }

    private var fault: SinkError? {
        let storm = scenario.storms.first { $0.covers(world.clock.uptime) && $0.isOfCache }
        guard let storm, world.happens(storm.probability) else { return nil }
        let isDenied = storm.kinds.contains(.denied) && world.happens(0.3)
        let isRefused = scenario.refusesPages && world.happens(0.2)
        world.note("the cache fails")
        return SinkError(isRefused ? .refused : isDenied ? .denied : .unavailable, "simulated")
    }
}
