import Records
import Walk

/// What a walk has to go on from once it has read the cache's positions.
enum Ground: Equatable, Sendable {
    /// Nothing is known of the stream.
    case nothing
    /// What the process knows: the cache has no positions, or old ones.
    case process
    /// What the cache has.
    case cache
    /// Nothing any more: the cache was emptied.
    case refill
    /// Nothing: the cache was emptied, and the walk ends.
    case end

    /// What follows from what a process knows and from what the cache holds.
    init(
        _ known: Checkpoint.Stream?, _ cache: CacheModel.Content, isEvicted: Bool,
        onLoss policy: CacheLossPolicy
    ) {
        guard let known else {
            self = cache.beginning == nil ? .nothing : .cache
            return
        }
        guard let beginning = cache.beginning else {
            let isLost = known.cached == .current && !isEvicted
            let isBegun =
                known.shards.values.contains { $0.position.isBegun } || !known.lost.isEmpty
            self =
                switch policy {
                case .rewind where isLost && isBegun: .refill
                case .stop where isLost: .end
                case .rewind, .resume, .stop: .process
                }
            return
        }
        let isOlder = beginning.time < known.beginning.time
        self =
            if known.cached == .current {
                // That the stream was begun anew is lost.
                isOlder ? .refill : .cache
            } else {
                // Positions from before a beginning that was remembered, and not written there yet.
                known.cached == .old || isOlder ? .process : .cache
            }
    }
}

extension World.State {
    /// Notes that a process has read the positions of the cache, what it has to go on from, and what it knows to be lost.
    ///
    /// - Parameters:
    ///   - content: what the cache held when they were read.
    ///   - isEvicted: whether the cache has made room by removing them.
    ///   - losses: how often something had been lost by then.
    ///   - known: what the process knew of the stream.
    ///   - clock: the clock.
    ///   - scenario: what happens.
    /// - Returns: what is wrong.
    mutating func takeUp(
        _ content: CacheModel.Content, isEvicted: Bool, losses: Int, by known: Checkpoint.Stream?,
        _ clock: SimulatedClock, _ scenario: Scenario
    ) -> String? {
        let ground = Ground(known, content, isEvicted: isEvicted, onLoss: onCacheLoss)
        let isNews = losses != notes.lossesSeen
        notes.takeUps += 1
        notes.era = cache.era
        notes.lossesSeen = losses
        notes.answeredAt = clock.serviceTime
        notes.appliedBeforeLoss = notes.applied.count
        notes.hasToEnd = ground == .end
        notes.mayRewind = notes.mayRewind || isNews || ground == .refill
        notes.mayRewindUntilEstablished = [.nothing, .refill].contains(ground)
        if ground == .nothing {
            latestAt = [:]
            latestAsked = []
        }
        if content.beginning != nil || known != nil { saved.hasBeginning = true }
        let hasValues = !content.versions.isEmpty
        if ground == .process && content.beginning != nil
            || [.nothing, .refill].contains(ground) && hasValues
        {
            notes.isExact = false
        }
        let check = Invariants(self, known?.beginning, clock, scenario)
        let positions = known?.shards.mapValues(\.position) ?? [:]
        let cached = model.withAncestors(content.readPositions, known: positions)
        // What was written since positions are missing is there all the same.
        let isAdvanced = content.beginning == nil && known?.cached == .current
        switch ground {
        case .nothing, .refill: notes.order = [:]
        case .process:
            notes.order = check.remembered(by: positions)
            guard isAdvanced else { break }
            notes.acknowledged.merge(content.versions, uniquingKeysWith: max)
            notes.order.merge(
                Invariants(self, known?.beginning, clock, scenario)
                    .remembered(by: content.readPositions), uniquingKeysWith: max)
        case .cache:
            notes.acknowledged.merge(content.versions, uniquingKeysWith: max)
            notes.order = Invariants(self, known?.beginning, clock, scenario)
                .remembered(by: cached)
        case .end: return nil
        }
        let base: [ShardID: Position] =
            switch ground {
            case .cache: cached
            case .process:
                isAdvanced
                    ? positions.merging(content.readPositions) { $1.isAhead(of: $0) ? $1 : $0 }
                    : positions
            case .nothing, .refill, .end: [:]
            }
        if known?.lost.isEmpty != false { notes.recovered = 0 }
        notes.pending = []
        for (id, shard) in model.shards {
            for entry in shard.entries
            where
                (positions[id]?.covers(entry.number) == true
                && ground != .process || known?.lost[id]?.covers(entry.number) == true)
                && base[id]?.covers(entry.number) != true && !check.isTrimmed(entry, in: shard)
            {
                notes.pending.insert(CacheNotes.Place(shard: id, number: entry.number))
            }
        }
        guard ground == .cache else { return nil }
        return Invariants(self, content.beginning, clock, scenario).problem(inHolding: nil)
    }

    /// Notes that the cache has lost something by now; `isParted` if values and positions did not go together.
    mutating func noteLoss(at time: Double, before: CacheModel.Content, isParted: Bool) {
        notes.losses += 1
        notes.lossesToSee = notes.losses
        notes.causes += 1
        notes.lostAt = time
        notes.appliedBeforeLoss = notes.applied.count
        if isParted { notes.isExact = false }
        guard onCacheLoss == .resume, cache.content.beginning == nil else { return }
        for (key, version) in before.versions {
            notes.excused[key] = max(version, notes.excused[key] ?? 0)
        }
        // What was lost before, and was to be written again, is lost as well.
        notes.excused.merge(notes.acknowledged, uniquingKeysWith: max)
    }
}

extension Position {
    /// Whether something is applied.
    fileprivate var isBegun: Bool { cached != nil }
}
