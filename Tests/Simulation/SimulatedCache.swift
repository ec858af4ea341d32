package import Records
package import Walk

/// The cache as one process of the daemon sees it: it fails before or after it has done what it was told.
package struct SimulatedCache: Sink {
    let world: World
    let process: SimulatedProcess

    package var holdsPositions: Bool { false }

    package func memory(of stream: StreamARN) async throws(SinkError) -> CacheMemory {
        preconditionFailure("no positions are held")
    }

    package func establish(
        _ stream: StreamARN, _ memory: Checkpoint.Stream, era: Int
    ) async throws(SinkError) {
        preconditionFailure("no positions are held")
    }

    package func forget(
        _ shards: [ShardID], of stream: StreamARN, era: Int
    ) async throws(SinkError) {
        preconditionFailure("no positions are held")
    }

    package func forget(_ stream: StreamARN, era: Int) async throws(SinkError) {
        preconditionFailure("no positions are held")
    }

    package func beat(_ stream: StreamARN, era: Int) async throws(SinkError) {
        preconditionFailure("no positions are held")
    }

    package func apply(_ changes: ChangeSet, _ step: Step?) async throws(SinkError) {
        // A write that is under way is finished, whoever is cancelled.
        await process.life.pause(in: world)
        guard process.life.isOn else { throw SinkError(.unavailable, "the process has ended") }
        let fault = refusal(of: changes) ?? fault
        let isBefore = world.happens(0.5)
        if let fault, isBefore { throw fault }
        let written = write(changes)
        await process.life.pause(in: world)
        guard process.life.isOn else { throw SinkError(.unavailable, "the process has ended") }
        if let fault { throw fault }
        let time = world.clock.serviceTime
        world.access { world in
            for (key, version) in written {
                let known = world.cache.acknowledged[key] ?? 0
                world.cache.acknowledged[key] = max(version, known)
                world.cache.applied.append((time, key, version))
            }
        }
    }

    private func refusal(of changes: ChangeSet) -> SinkError? {
        guard let refused = world.scenario.refusedKeys else { return nil }
        var isRefused = false
        changes.forEach(in: 0..<changes.count) { key, _ in
            isRefused = isRefused || String(decoding: key, as: UTF8.self).hasPrefix(refused)
        }
        return isRefused ? SinkError(.refused, "simulated") : nil
    }

    private var fault: SinkError? {
        let storm = world.scenario.storms.first { $0.covers(world.clock.uptime) && $0.isOfCache }
        guard let storm, world.happens(storm.probability) else { return nil }
        let isDenied = storm.kinds.contains(.denied) && world.happens(0.3)
        let isRefused = world.scenario.refusesPages && world.happens(0.2)
        world.note("the cache fails")
        return SinkError(isRefused ? .refused : isDenied ? .denied : .unavailable, "simulated")
    }

    /// Changes the cache, and returns which versions that were.
    private func write(_ changes: ChangeSet) -> [(key: String, version: Int)] {
        var written: [(key: String, version: Int)] = []
        changes.forEach(in: 0..<changes.count) { key, value in
            let key = String(decoding: key, as: UTF8.self)
            let value = value.map { String(decoding: $0, as: UTF8.self) }
            world.note("cache: \(key) = \(value ?? "nothing")")
            let (begunAt, leftOutBefore) = (process.begunAt, process.beginning?.leftOutBefore)
            let clock = world.clock
            let time = clock.serviceTime
            let problem = world.access { world -> String? in
                world.cache.replaced.append((time, key, world.cache.values[key]))
                world.cache.values[key] = value
                guard let version = world.model.version(of: key, value: value) else {
                    return "\(key) is written with what no record holds"
                }
                written.append((key, version))
                let check = Invariants(world, begunAt: begunAt, clock, scenario)
                defer { world.cache.written[key] = version }
                return check.problem(inWriting: key, version, leftOutBefore: leftOutBefore)
            }
            if let problem { world.violate(problem) }
        }
        return written
    }

    private var scenario: Scenario { world.scenario }
}
