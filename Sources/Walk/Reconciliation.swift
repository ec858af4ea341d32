/// What a walk goes on with, once the positions of the checkpoint and those of the cache are compared.
///
/// Where the cache has a position, that is exactly what the cache contains, and it wins.
package enum Reconciliation: Equatable, Sendable {
    /// Nothing is known of the stream: it begins as configured.
    case begin
    /// The walk goes on from here; all positions are to be written to the cache before if they are `unwritten`.
    case resume(Checkpoint.Stream, unwritten: Bool)
    /// The cache was emptied: the stream begins anew at the trim horizon, to come to where its shards stood.
    case refill(lost: [ShardID: Position])
    /// The cache was emptied, and somebody wants to decide what follows.
    case stop

    /// Compares what is known of a stream.
    ///
    /// - Parameters:
    ///   - file: what the checkpoint, or this process, remembers of it; nil for nothing.
    ///   - cache: what the cache holds of it.
    ///   - policy: what is done when the cache was emptied.
    ///   - time: now, in seconds since 1970.
    package init(
        _ file: Checkpoint.Stream?, _ cache: CacheMemory, onLoss policy: CacheLossPolicy,
        time: Double
    ) {
        switch (file, cache.beginning) {
        case (nil, nil): self = .begin
        case (nil, let beginning?):
            self = .resume(
                Checkpoint.Stream(
                    beginning: beginning,
                    shards: cache.positions.mapValues { Self.shard(at: $0, time: time) },
                    cached: .current),
                unwritten: false)
        case (let file?, nil): self = Self.withoutCache(file, cache, onLoss: policy, time: time)
        case (let file?, let beginning?):
            let isOlder = beginning.time < file.beginning.time
            if file.cached == .current {
                // A failover has lost that the stream was begun anew.
                self =
                    isOlder
                    ? .refill(lost: Self.lost(of: file))
                    : Self.merged(file, cache, beginning, time: time)
            } else {
                // The cache was written to without its positions, or they are from before a beginning that is not written
                // there yet: then the checkpoint alone knows.
                self =
                    file.cached == .old || isOlder
                    ? .resume(file, unwritten: true)
                    : Self.merged(file, cache, beginning, time: time)
            }
        }
    }

    private static func withoutCache(
        _ file: Checkpoint.Stream, _ cache: CacheMemory, onLoss policy: CacheLossPolicy,
        time: Double
    ) -> Reconciliation {
        // Positions that were never written there can't be lost.
        guard file.cached == .current else { return .resume(file, unwritten: true) }
        if cache.isEvicted { return .resume(advanced(file, cache, time: time), unwritten: true) }
        switch policy {
        case .rewind:
            let lost = lost(of: file)
            return lost.isEmpty ? .resume(file, unwritten: true) : .refill(lost: lost)
        case .resume: return .resume(advanced(file, cache, time: time), unwritten: true)
        case .stop: return .stop
        }
    }

    /// How far the shards of a stream had been applied at any time.
    private static func lost(of file: Checkpoint.Stream) -> [ShardID: Position] {
        var lost = file.lost
        for (id, shard) in file.shards where shard.position.hasBegun {
            lost[id] = furthest(lost[id], shard.position)
        }
        return lost
    }

    /// The checkpoint, with the steps that were made since the cache lost its positions: they are how that was noticed.
    private static func advanced(
        _ file: Checkpoint.Stream, _ cache: CacheMemory, time: Double
    ) -> Checkpoint.Stream {
        var stream = file
        for (id, position) in cache.positions {
            guard let known = file.shards[id], position.isAhead(of: known.position) else {
                continue
            }
            stream.shards[id] = shard(at: position, time: time)
            stream.shards[id]?.parent = known.parent
        }
        stream.forgetRecovered()
        return stream
    }

    private static func merged(
        _ file: Checkpoint.Stream, _ cache: CacheMemory, _ beginning: Checkpoint.Beginning,
        time: Double
    ) -> Reconciliation {
        var stream = file
        stream.beginning = beginning
        let continued = continuedShards(file.shards, heldBy: cache.positions)
        for (id, shard) in file.shards where shard.position != cache.positions[id] {
            let isAhead = shard.position.isAhead(of: cache.positions[id] ?? .trimHorizon)
            if let position = cache.positions[id] {
                if isAhead { stream.lost[id] = furthest(stream.lost[id], shard.position) }
                var moved = Self.shard(at: position, time: time)
                moved.parent = shard.parent
                // What it was stopped at is still to come.
                moved.blocked = isAhead || position == .end ? nil : shard.blocked
                stream.shards[id] = moved
            } else if isAhead, !(shard.position == .end && continued.contains(id)) {
                // Found again by the next listing, it is read from its beginning.
                stream.lost[id] = furthest(stream.lost[id], shard.position)
                stream.shards[id] = nil
            } else if !shard.position.hasBegun, file.beginning != beginning {
                // An older checkpoint's: where such a shard is read from, its beginning says.
                stream.shards[id] = nil
            }
        }
        for (id, position) in cache.positions where file.shards[id] == nil {
            stream.shards[id] = Self.shard(at: position, time: time)
        }
        stream.forgetRecovered()
        stream.cached = .current
        return .resume(stream, unwritten: false)
    }

    /// The shards of which the cache holds a position, or held one until another took over: all those before a shard that it
    /// has one of.
    package static func continuedShards(
        _ known: [ShardID: Checkpoint.Shard], heldBy positions: [ShardID: Position]
    ) -> Set<ShardID> {
        var continued: Set<ShardID> = []
        for id in positions.keys {
            var parent = known[id]?.parent
            while let ancestor = parent, continued.insert(ancestor).inserted {
                parent = known[ancestor]?.parent
            }
        }
        return continued
    }

    private static func shard(at position: Position, time: Double) -> Checkpoint.Shard {
        Checkpoint.Shard(position: position, finishedAt: position == .end ? time : nil)
    }

    private static func furthest(_ known: Position?, _ position: Position) -> Position {
        known.map { $0.isAhead(of: position) ? $0 : position } ?? position
    }
}

extension Checkpoint.Stream {
    /// Forgets what was lost and is there again, as the positions say.
    fileprivate mutating func forgetRecovered() {
        lost = lost.filter { id, lost in shards[id].map { lost.isAhead(of: $0.position) } ?? true }
    }
}
