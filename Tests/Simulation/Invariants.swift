import Records
import Walk

/// What has to hold at every moment, whatever the stream, the cache, the disk and the power do.
///
/// 1. Nothing is skipped: at the end every record that was promised is in the cache, or is trimmed and reported as a gap;
///    and without a loss there is no gap.
/// 2. The order of an item: a process never writes an older version after a newer one, and never one that its
///    checkpoint has told it to be applied.
/// 3. Parents first: when a record is written, all of the shard's parent is acknowledged.
/// 4. A saved position never goes past what the cache has acknowledged, and never back.
/// 5. A shard is forgotten when it is listed no more, and when what comes after it has begun.
/// 6. Nothing is written that a beginning at LATEST leaves out, where records tell their time.
/// 7. At the end the cache is the table.
///
/// Elsewhere, where they happen: what has to hold for calls (``CallInvariants``); that what was saved outlives the power
/// (``SimulatedDisk``); bytes held, standstills, spinning, and being caught up in bounded time after the last trouble
/// (``Simulator``).
struct Invariants {
    private let world: World.State
    /// When the stream was begun, by the service's clock; infinity before that.
    private let begunAt: Double
    /// The service's time, in seconds since 1970.
    private let time: Double
    private let scenario: Scenario

    /// Looks at the world now; nothing is promised before the stream has begun, which the daemon's clock says.
    init(_ world: World.State, begunAt: Double?, _ clock: SimulatedClock, _ scenario: Scenario) {
        self.world = world
        self.begunAt = begunAt.map(clock.serviceTime(of:)) ?? .infinity
        time = clock.serviceTime
        self.scenario = scenario
    }

    private var model: StreamModel { world.model }

    // MARK: What is promised

    /// The entries of a shard that have to be applied.
    private func promised(_ shard: StreamModel.ModelShard) -> ArraySlice<StreamModel.Entry> {
        guard scenario.start == .latest else {
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
        entry.version <= world.cache.acknowledged[entry.key] ?? 0
    }

    private func isTrimmed(_ entry: StreamModel.Entry, in shard: StreamModel.ModelShard) -> Bool {
        shard.isGone(at: time) || entry.time < time - shard.retention - shard.laziness
    }

    // MARK: Writing

    /// What is wrong with writing this version of an item now.
    func problem(inWriting key: String, _ version: Int, leftOutBefore: Double?) -> String? {
        if let leftOutBefore, !scenario.hasTimelessRecords, scenario.recordOffset == 0,
            model.time(of: key, version) < min(leftOutBefore.rounded(.down), begunAt)
        {
            return "\(key) is written in version \(version), which is to be left out"
        }
        if let newer = world.cache.written[key], version < newer {
            return "\(key) goes back from version \(newer) to \(version)"
        }
        if let known = world.cache.remembered[key], version <= known {
            return "\(key) is written in version \(version), \(known) is in the checkpoint"
        }
        guard let places = model.places[key], let shard = model.shards[places[version - 1]]
        else { return nil }
        guard let parent = shard.parent.flatMap({ model.shards[$0] }) else { return nil }
        let missing = promised(parent).first { !isAcknowledged($0) && !isTrimmed($0, in: parent) }
        return missing.map {
            "\(shard.id) is applied before \($0.key) version \($0.version) of its parent \(parent.id)"
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
        for (id, old) in before?.shards ?? [:] {
            guard let new = stream.shards[id] else {
                problems += self.problems(inForgetting: id, stream.shards)
                continue
            }
            if new.position.isBehind(old.position) {
                problems.append("\(id) goes back from \(old.position) to \(new.position)")
            }
        }
        for (id, memory) in stream.shards.sorted(by: { $0.key < $1.key }) {
            guard let shard = model.shards[id] else {
                problems.append("\(id) was never listed")
                continue
            }
            for entry in promised(shard) where memory.position.covers(entry.number) {
                guard let problem = problem(with: entry, in: shard, stream.gaps) else { continue }
                problems.append("position \(memory.position) of \(id): \(problem)")
            }
        }
        problems += stream.gaps.filter { !isLoss($0, before) }
            .map { "a gap without a loss: \($0.reason), \($0.shard ?? "")" }
        return problems
    }

    /// Whether a gap may be one: of a shard that was read before, it is known what was lost.
    private func isLoss(_ gap: Checkpoint.Gap, _ before: Checkpoint.Stream?) -> Bool {
        guard scenario.losesRecords else { return false }
        guard scenario.retention == ShardTree.retention, before?.gaps.contains(gap) == false,
            let id = gap.shard.map(ShardID.init), let position = before?.shards[id]?.position,
            !position.isUnread, let shard = model.shards[id], !shard.isGone(at: time)
        else { return true }
        return shard.entries.prefix(shard.trimmed(at: time)).contains {
            !position.covers($0.number)
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
        with entry: StreamModel.Entry, in shard: StreamModel.ModelShard, _ gaps: [Checkpoint.Gap]
    ) -> String? {
        if isAcknowledged(entry) { return nil }
        let isReported = gaps.contains { gap in
            gap.shard.map { model.leads(from: shard.id, to: ShardID($0)) } ?? false
        }
        guard isTrimmed(entry, in: shard) else {
            return "\(entry.key) version \(entry.version) is not acknowledged"
        }
        // With a shorter retention than AWS's, nobody can know what the trim horizon hides.
        return isReported || scenario.isForgetful
            ? nil : "\(entry.key) version \(entry.version) is lost without a word"
    }

    /// The newest version of each item that a checkpoint says to be applied.
    func remembered(by stream: Checkpoint.Stream) -> [String: Int] {
        var versions: [String: Int] = [:]
        for (id, memory) in stream.shards {
            for entry in model.shards[id]?.entries ?? []
            where memory.position.covers(entry.number) {
                versions[entry.key] = max(versions[entry.key] ?? 0, entry.version)
            }
        }
        // At LATEST nothing was applied of what is covered.
        return scenario.start == .latest ? versions.filter { isAcknowledged($0) } : versions
    }

    private func isAcknowledged(_ item: (key: String, value: Int)) -> Bool {
        item.value <= world.cache.acknowledged[item.key] ?? 0
    }

    // MARK: A kill

    /// What was applied so long ago that it ought to be remembered, and is not.
    func forgotten(by saved: Checkpoint.Stream?) -> String? {
        let limit = time - Simulator.saveDeadline.inSeconds
        for (applied, key, version) in world.cache.applied where applied < limit {
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
                problem(with: entry, in: shard, gaps).map { "\(shard.id): \($0)" }
            }
        }
    }

    /// Where the cache is not the table, of the items that were changed last before a time by the service's clock.
    func differences(madeBefore limit: Double) -> [String] {
        model.last.values.filter {
            $0.time < limit && isAcknowledged($0) && world.cache.values[$0.key] != $0.image
        }
        .map { "\($0.key) is \(world.cache.values[$0.key] ?? "nothing")" }.sorted()
    }
}

extension Position {
    /// Whether less is applied than another position says.
    fileprivate func isBehind(_ other: Position) -> Bool {
        switch (self, other) {
        case (.end, _), (_, .trimHorizon), (_, .start), (_, .since): false
        case (.after(let mine), .after(let others)): mine < others
        case (_, .after), (_, .end): true
        }
    }

    /// Whether nothing is applied.
    fileprivate var isUnread: Bool {
        switch self {
        case .trimHorizon, .start, .since: true
        case .after, .end: false
        }
    }

    /// Whether the position says that a record is applied.
    fileprivate func covers(_ number: SequenceNumber) -> Bool {
        switch self {
        case .trimHorizon, .start, .since: false
        case .after(let last): number <= last
        case .end: true
        }
    }
}
