import Records
import Walk

/// What has to hold at every moment, whatever the stream, the cache, the disk and the power do.
///
/// 1. Nothing is skipped: at the end every record that was promised is in the cache, or is trimmed and reported as a gap;
///    and without a loss there is no gap. Where the cache holds positions, what it lost is there again.
/// 2. The order of an item: what is written is newer than all that the walk goes on from, and than all that was written
///    since. That is the checkpoint or, where the cache holds positions, exactly what the cache has: then no key ever
///    goes back, over all restarts, as long as the cache keeps what it has.
/// 3. Parents first: when a record is written, all of the shard's parent is acknowledged, or in the cache.
/// 4. A saved position never goes past what the cache has acknowledged, and never back but for a loss; a position in the
///    cache never goes past what the cache has.
/// 5. A shard is forgotten when it is listed no more, and when what comes after it has begun.
/// 6. Nothing is written that a beginning at LATEST leaves out, where records tell their time.
/// 7. At the end the cache is the table.
/// 8. What is known to be lost is remembered until it is written again.
///
/// Elsewhere, where they happen: what has to hold for calls (``CallInvariants``); that what was saved outlives the power
/// (``SimulatedDisk``); what the walk goes on from (``Ground``); bytes held, standstills, spinning, and being caught up in
/// bounded time after the last trouble (``Simulator``).
struct Invariants {
    private let world: World.State
    /// When the stream was begun, by the service's clock; infinity before that.
    private let begunAt: Double
    /// What a beginning at LATEST leaves out is older than this; nil where nothing is left out.
    private let leftOutBefore: Double?
    /// The service's time, in seconds since 1970.
    private let time: Double
    private let scenario: Scenario

    /// Looks at the world now; nothing is promised before the stream has begun, which the daemon's clock says.
    init(
        _ world: World.State, _ beginning: Checkpoint.Beginning?, _ clock: SimulatedClock,
        _ scenario: Scenario
    ) {
        self.world = world
        begunAt = beginning.map { clock.serviceTime(of: $0.time) } ?? .infinity
        leftOutBefore = beginning?.leftOutBefore
        time = clock.serviceTime
        self.scenario = scenario
    }

    private var model: StreamModel { world.model }

    // MARK: What is promised

    /// The entries of a shard that have to be applied.
    private func promised(_ shard: StreamModel.ModelShard) -> ArraySlice<StreamModel.Entry> {
        guard leftOutBefore != nil else {
            // What was trimmed before the shards were opened was never promised.
            let openedAt = begunAt + 60
            return shard.isGone(at: openedAt)
                ? [] : shard.entries.dropFirst(shard.trimmed(at: openedAt))
        }
        guard shard.createdAt <= begunAt else { return shard.entries[...] }
        // What was made between the listing and the opening at LATEST belongs to neither.
        let from = max(begunAt, world.latestAt[shard.id] ?? begunAt)
        return shard.entries.drop { $0.time <= from }
    }

    private func isAcknowledged(_ entry: StreamModel.Entry) -> Bool {
        entry.version <= world.notes.acknowledged[entry.key] ?? 0
    }

    /// Whether the cache has a record now, as far as it has to.
    private func isPresent(_ entry: StreamModel.Entry) -> Bool {
        guard world.holdsPositions else { return isAcknowledged(entry) }
        return entry.version
            <= max(
                world.cache.content.versions[entry.key] ?? 0, world.notes.excused[entry.key] ?? 0)
    }

    func isTrimmed(_ entry: StreamModel.Entry, in shard: StreamModel.ModelShard) -> Bool {
        shard.isGone(at: time) || entry.time < time - shard.retention - shard.laziness
    }

    // MARK: Writing

    /// What is wrong with writing this version of an item now.
    func problem(inWriting key: String, _ version: Int) -> String? {
        if let leftOutBefore, !scenario.hasTimelessRecords, scenario.recordOffset == 0,
            model.time(of: key, version) < min(leftOutBefore.rounded(.down), begunAt)
        {
            return "\(key) is written in version \(version), which is to be left out"
        }
        if let newer = world.notes.order[key],
            world.holdsPositions ? version <= newer : version < newer
        {
            return "\(key) goes back from version \(newer) to \(version)"
        }
        if let known = world.notes.remembered[key], version <= known {
            return "\(key) is written in version \(version), \(known) is in the checkpoint"
        }
        if world.holdsPositions, world.notes.isExact,
            let present = world.cache.content.versions[key], version <= present
        {
            return "\(key) goes back from version \(present), which the cache has, to \(version)"
        }
        // What was removed a moment ago is missed when the positions are.
        guard world.notes.losses == world.notes.lossesSeen else { return nil }
        guard let places = model.places[key], let shard = model.shards[places[version - 1]]
        else { return nil }
        guard let parent = shard.parent.flatMap({ model.shards[$0] }) else { return nil }
        let missing = promised(parent).first { !isPresent($0) && !isTrimmed($0, in: parent) }
        return missing.map {
            "\(shard.id) is applied before \($0.key) version \($0.version) of its parent \(parent.id)"
        }
    }

    /// What is wrong with the positions that the cache holds, of one shard or of all.
    func problem(inHolding shard: ShardID? = nil) -> String? {
        guard world.notes.losses == world.notes.lossesSeen else { return nil }
        let content = world.cache.content
        let ids = shard.map { [$0] } ?? content.positions.keys.sorted()
        for id in ids {
            guard let text = content.positions[id] else { continue }
            guard let position = Position(cached: text), let shard = model.shards[id] else {
                return "the cache holds the position \(text) of \(id)"
            }
            let missing = promised(shard).first {
                position.covers($0.number) && !isPresent($0) && !isTrimmed($0, in: shard)
            }
            if let missing {
                return
                    "the cache holds \(position) of \(id), and not \(missing.key) version \(missing.version)"
            }
        }
        return nil
    }

    /// What is wrong with removing the position of a shard.
    func problem(inRemoving id: ShardID) -> String? {
        guard let shard = model.shards[id] else { return "\(id) was never there" }
        // What was removed a moment ago is missed when the positions are.
        guard world.notes.losses == world.notes.lossesSeen else { return nil }
        if shard.isListed(at: time) { return "the position of \(id) is removed, which is listed" }
        let unread = model.shards.values.first { child in
            child.parent == id && child.isListed(at: time)
                && world.cache.content.positions[child.id] == nil
                && !model.hasBegunDescendant(child.id, in: world.cache.content.positions)
        }
        return unread.map {
            "the position of \(id) is removed, and \($0.id) is to come after it"
        }
    }

    // MARK: Saving

    /// What is wrong with the positions of a checkpoint that takes the place of the one on disk.
    func problems(inSaving saved: Checkpoint.Stream?) -> [String] {
        var problems: [String] = []
        let before = world.saved.content?.streams[Simulator.stream]
        guard let stream = saved else {
            return before == nil ? [] : ["the stream is forgotten"]
        }
        // Positions since different beginnings are no progress of one another.
        let comparable = before?.beginning == stream.beginning ? before?.shards : nil
        for (id, old) in comparable ?? [:] {
            guard let new = stream.shards[id] else {
                if !world.notes.mayRewind {
                    problems += self.problems(inForgetting: id, stream.shards)
                }
                continue
            }
            if old.position.isAhead(of: new.position), !world.notes.mayRewind {
                problems.append("\(id) goes back from \(old.position) to \(new.position)")
            }
        }
        // Until the walk has taken in what the cache has lost, its positions are those from before.
        let isCurrent =
            world.holdsPositions && stream.cached == .current
            && stream.beginning == world.cache.content.beginning
            && world.notes.losses == world.notes.lossesSeen
        for (id, memory) in stream.shards.sorted(by: { $0.key < $1.key }) {
            guard let shard = model.shards[id] else {
                problems.append("\(id) was never listed")
                continue
            }
            for entry in promised(shard) where memory.position.covers(entry.number) {
                guard
                    let problem = problem(
                        with: entry, in: shard, stream.gaps,
                        isThere: isCurrent ? isPresent(entry) : isAcknowledged(entry))
                else { continue }
                problems.append("position \(memory.position) of \(id): \(problem)")
            }
        }
        if stream.cached == .current, !world.notes.beginnings.contains(stream.beginning) {
            problems.append("positions are said to be in the cache that were never written there")
        }
        if isCurrent, !scenario.losesRecords {
            for place in world.notes.pending
            where stream.lost[place.shard]?.covers(place.number) != true {
                problems.append(
                    "\(place.number) of \(place.shard) is lost and not remembered to be")
            }
        }
        problems += stream.gaps.filter { !isLoss($0, before) }
            .map { "a gap without a loss: \($0.reason), \($0.shard ?? "")" }
        return problems
    }

    /// Whether a gap may be one: of a shard that was read before, it is known what was lost.
    private func isLoss(_ gap: Checkpoint.Gap, _ before: Checkpoint.Stream?) -> Bool {
        guard scenario.losesRecords else { return false }
        // Without its position a shard is read again, or is gone, and what is trimmed by then seems to be lost.
        guard !world.holdsPositions || world.notes.losses == 0 else { return true }
        guard scenario.retention == ShardTree.retention, before?.gaps.contains(gap) == false,
            let id = gap.shard.map(ShardID.init), let position = before?.shards[id]?.position,
            !position.isUnread, let shard = model.shards[id], !shard.isGone(at: time)
        else { return true }
        return shard.entries.prefix(shard.trimmed(at: time)).contains {
            !position.covers($0.number) || !isPresent($0)
        }
    }

    /// What is wrong with a checkpoint without a shard that the one before it holds.
    private func problems(
        inForgetting id: ShardID, _ shards: [ShardID: Checkpoint.Shard]
    ) -> [String] {
        let waiting = shards.filter { $0.value.parent == id && $0.value.position.isUnread }
        let isListed = model.shards[id]?.isListed(at: time) == true
        return (isListed ? ["\(id) is listed and forgotten"] : [])
            + waiting.keys.sorted().map { "\(id) is forgotten, and \($0) is to come after it" }
    }

    /// Why an entry that ought to be applied is not; nil if it is, or if its loss is known.
    private func problem(
        with entry: StreamModel.Entry, in shard: StreamModel.ModelShard, _ gaps: [Checkpoint.Gap],
        isThere: Bool
    ) -> String? {
        if isThere { return nil }
        let isReported = gaps.contains { gap in
            gap.shard.map { model.leads(from: shard.id, to: ShardID($0)) }
                // What the cache lost of shards that are not listed any more is told of all of them.
                ?? world.holdsPositions
        }
        guard isTrimmed(entry, in: shard) else {
            return "\(entry.key) version \(entry.version) is not in the cache"
        }
        // With a shorter retention than AWS's, nobody can know what the trim horizon hides.
        return isReported || scenario.isForgetful
            ? nil : "\(entry.key) version \(entry.version) is lost without a word"
    }

    /// The newest version of each item that positions say to be applied.
    func remembered(by positions: [ShardID: Position]) -> [String: Int] {
        var versions: [String: Int] = [:]
        for (id, position) in positions {
            for entry in model.shards[id]?.entries ?? [] where position.covers(entry.number) {
                versions[entry.key] = max(versions[entry.key] ?? 0, entry.version)
            }
        }
        // At LATEST nothing was applied of what is covered.
        return scenario.start == .latest
            ? versions.filter { $0.value <= world.notes.acknowledged[$0.key] ?? 0 } : versions
    }

    // MARK: A kill

    /// What was applied so long ago that it ought to be remembered, and is not.
    func forgotten(by saved: Checkpoint.Stream?) -> String? {
        let limit = time - Simulator.saveDeadline.inSeconds
        for (applied, key, version) in world.notes.applied.dropFirst(
            world.notes.appliedBeforeLoss)
        where applied < limit {
            // Shards are remembered for as long as they are listed, and for two days at the least.
            guard let id = model.places[key]?[version - 1], let shard = model.shards[id],
                shard.isListed(at: time),
                let entry = shard.entries.first(where: { $0.key == key && $0.version == version })
            else { continue }
            guard saved?.shards[id]?.position.covers(entry.number) != true else { continue }
            return "\(key) version \(version) was applied \(time - applied) s ago and is not saved"
        }
        return nil
    }

    // MARK: The end

    /// What is still missing of the records that were made before a time, by the service's clock.
    func missing(madeBefore limit: Double, _ gaps: [Checkpoint.Gap]) -> [String] {
        model.ids.compactMap { model.shards[$0] }.flatMap { shard in
            promised(shard).filter { $0.time < limit }.compactMap { entry in
                problem(with: entry, in: shard, gaps, isThere: isPresent(entry)).map {
                    "\(shard.id): \($0)"
                }
            }
        }
    }

    /// Where the cache is not the table, of the items that were changed last before a time by the service's clock.
    func differences(madeBefore limit: Double) -> [String] {
        model.last.values.filter {
            $0.time < limit && isPresent($0) && $0.version > world.notes.excused[$0.key] ?? 0
                && world.cache.content.values[$0.key] != $0.image
        }
        .map { "\($0.key) is \(world.cache.content.values[$0.key] ?? "nothing")" }.sorted()
    }
}

extension Position {
    /// Whether nothing is applied.
    fileprivate var isUnread: Bool {
        switch self {
        case .trimHorizon, .start, .since: true
        case .after, .end: false
        }
    }
}
