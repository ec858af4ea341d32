package import Records
import Synchronization

/// How far all streams of the process have come: the only state that the walk shares between its tasks.
///
/// Every change is made under one lock and without waiting, so that whatever is saved is a state that really was: a child
/// never appears begun beside a parent that is not finished.
package final class Progress: Sendable {
    /// What is known of one stream.
    package struct Stream: Sendable {
        /// The shards with their positions.
        package var tree: ShardTree
        /// Losses that were noticed, the latest last.
        package fileprivate(set) var gaps: [Checkpoint.Gap] = []
        /// Whether the stream was switched off and everything in it is applied.
        package fileprivate(set) var isDrained = false
        /// What is known of the positions that the cache holds.
        package fileprivate(set) var cached = Checkpoint.CachedPositions.never
        /// How far shards had been applied whose changes the cache has lost, and that are not there again yet.
        package fileprivate(set) var lost: [ShardID: Position] = [:]
        private var recovery = Recovery()

        /// A stream that begins.
        fileprivate init(_ tree: ShardTree) { self.tree = tree }

        /// A stream as it is remembered.
        fileprivate init(_ memory: Checkpoint.Stream, inSameProcess: Bool) {
            tree = ShardTree(memory, inSameProcess: inSameProcess)
            gaps = memory.gaps
            isDrained = memory.isDrained
            cached = memory.cached
            lost = memory.lost
        }

        /// What is to be remembered of the stream.
        package var memory: Checkpoint.Stream {
            Checkpoint.Stream(
                beginning: tree.beginning, shards: tree.memory, gaps: gaps, isDrained: isDrained,
                cached: cached, lost: lost)
        }

        /// Notes that records of a shard are written which the cache had lost; returns what has been written again when
        /// that was the last of it.
        package mutating func noteRecovered(
            _ shard: ShardID, upTo position: Position, records: Int = 0
        ) -> Recovery? {
            guard let lost = lost[shard] else { return nil }
            recovery.records += records
            recovery.shards.insert(shard)
            guard !lost.isAhead(of: position) else { return nil }
            return giveUp([shard])
        }

        /// Notes that lost changes of shards won't come any more; returns what has been written again if nothing else is to
        /// come.
        package mutating func giveUp(_ shards: [ShardID]) -> Recovery? {
            for shard in shards { lost[shard] = nil }
            guard lost.isEmpty else { return nil }
            defer { recovery = Recovery() }
            return recovery
        }

        /// Goes on counting what another state of the stream began to count; returns the count if nothing is lost any more.
        @discardableResult
        fileprivate mutating func continueRecovery(of other: Stream?) -> Recovery? {
            guard let other, !other.lost.isEmpty else { return nil }
            recovery = other.recovery
            return giveUp([])
        }
    }

    /// What has been written again after the cache had lost it.
    package struct Recovery: Equatable, Sendable {
        /// The records, of those that had been applied before.
        package fileprivate(set) var records = 0
        /// The shards that they belong to.
        package fileprivate(set) var shards: Set<ShardID> = []
    }

    /// Counts since the process started.
    package struct Counts: Equatable, Sendable {
        /// Records that were applied, each as often as it was.
        package var records = 0
        /// Keys that were written or removed.
        package var changes = 0
    }

    private struct State {
        var streams: [StreamARN: Stream] = [:]
        /// What was lost before a stream that has not begun yet.
        var gapsBefore: [StreamARN: [Checkpoint.Gap]] = [:]
        var counts = Counts()
        var revision = 0
        var activity = 0
        var readers = 0

        /// A stream that has not begun is no stream yet: remembered, it would begin without its start position.
        mutating func visit<Result>(
            _ stream: StreamARN, _ body: (inout Stream) -> Result
        ) -> Result {
            func open(_ known: inout Stream?) -> Result {
                guard var stream = known.take() else {
                    preconditionFailure("the stream has not begun")
                }
                defer { known = stream }
                return body(&stream)
            }
            return open(&streams[stream])
        }
    }

    private let name: String
    private let state: Mutex<State>

    /// The progress of a daemon, as its checkpoint remembers it.
    package init(name: String, resuming checkpoint: Checkpoint?) {
        self.name = name
        var state = State()
        for (arn, var memory) in checkpoint?.streams ?? [:] {
            // Of a stream that has been over for long, its name is enough: it says that the table had one before.
            let savedAt = checkpoint?.savedAt ?? 0
            let isLongOver = memory.shards.values.allSatisfy { shard in
                shard.finishedAt.map { savedAt - $0 > ShardTree.finishedKept } ?? false
            }
            if memory.isDrained, isLongOver { memory.shards = [:] }
            state.streams[arn] = Stream(memory, inSameProcess: false)
        }
        self.state = Mutex(state)
    }

    /// Whether anything is remembered of a stream.
    package func knows(_ stream: StreamARN) -> Bool {
        state.withLock { $0.streams[stream] != nil }
    }

    /// The streams that anything is remembered of.
    package var streams: [StreamARN: Stream] { state.withLock { $0.streams } }

    /// Begins a stream, in the place of what was known of it; losses that were noticed stay noticed.
    ///
    /// What the cache has lost is `lost` until it is written again.
    package func begin(
        _ stream: StreamARN, with tree: ShardTree, lost: [ShardID: Position] = [:]
    ) {
        state.withLock { state in
            state.revision += 1
            let known = state.streams[stream]
            let before = state.gapsBefore.removeValue(forKey: stream) ?? []
            var begun = Stream(tree)
            begun.gaps = ((known?.gaps ?? []) + before).suffix(Checkpoint.gapsMaximum)
            begun.lost = lost
            begun.continueRecovery(of: known)
            state.streams[stream] = begun
        }
    }

    /// Goes on with a stream from what is remembered of it, in the place of what was known; blocked shards stay so.
    ///
    /// Returns what has been written again if that was all, and only the answer to the last write was missing.
    package func restore(_ stream: StreamARN, to memory: Checkpoint.Stream) -> Recovery? {
        state.withLock { state in
            state.revision += 1
            var restored = Stream(memory, inSameProcess: true)
            let before = state.gapsBefore.removeValue(forKey: stream) ?? []
            restored.gaps = (restored.gaps + before).suffix(Checkpoint.gapsMaximum)
            let recovery = restored.continueRecovery(of: state.streams[stream])
            state.streams[stream] = restored
            return recovery
        }
    }

    /// Notes what is known of the positions that the cache holds of a stream; says whether that is news.
    @discardableResult
    package func setCached(
        _ stream: StreamARN, _ cached: Checkpoint.CachedPositions
    ) -> Bool {
        state.withLock { state in
            guard let known = state.streams[stream], known.cached != cached else { return false }
            state.revision += 1
            state.streams[stream]?.cached = cached
            return true
        }
    }

    /// Changes what is remembered of a stream that has begun.
    package func update<Result: Sendable>(
        _ stream: StreamARN, _ body: (inout Stream) -> Result
    ) -> Result {
        state.withLock { state in
            state.revision += 1
            return state.visit(stream, body)
        }
    }

    /// Notes that there is something new to be saved.
    package func noteChange() { state.withLock { $0.revision += 1 } }

    /// Looks at a stream that has begun, or changes what nobody needs after a restart: nothing is to be saved for it.
    package func visit<Result: Sendable>(
        _ stream: StreamARN, _ body: (inout Stream) -> Result
    ) -> Result {
        state.withLock { $0.visit(stream, body) }
    }

    /// Notes that a page is applied up to its last record.
    package func advance(
        _ stream: StreamARN, _ shard: ShardID, to number: SequenceNumber, recordTime: Double?,
        records: Int, changes: Int
    ) {
        state.withLock { state in
            state.revision += 1
            state.visit(stream) { $0.tree.advance(shard, to: number, recordTime: recordTime) }
            state.counts.records += records
            state.counts.changes += changes
        }
    }

    /// How far a shard had been applied, if the cache has lost changes of it that are not there again yet.
    package func lost(of shard: ShardID, in stream: StreamARN) -> Position? {
        state.withLock { $0.streams[stream]?.lost[shard] }
    }

    /// Notes that a page came without records, and says whether the shard is known to have ended; nothing of this is saved.
    package func catchUp(_ stream: StreamARN, _ shard: ShardID) -> Bool {
        visit(stream) { stream in
            stream.tree.catchUp(shard)
            return stream.tree.isClosed(shard)
        }
    }

    /// Notes that something was tried, with success or without: the walk is alive.
    package func noteActivity() { state.withLock { $0.activity += 1 } }

    /// A number that grows as long as the walk is alive.
    package var activity: Int { state.withLock { $0.activity } }

    /// Notes that so many more shards are being read, or fewer.
    package func addReaders(_ change: Int) { state.withLock { $0.readers += change } }

    /// How many shards are being read, of all streams.
    package var readers: Int { state.withLock { $0.readers } }

    /// Notes a loss in a stream, or before its beginning.
    package func addGap(_ gap: Checkpoint.Gap, to stream: StreamARN) {
        func add(to gaps: inout [Checkpoint.Gap]) {
            // What every restart finds again is no other loss.
            gaps.removeAll { ($0.shard, $0.reason) == (gap.shard, gap.reason) }
            gaps.append(gap)
            gaps.removeFirst(max(0, gaps.count - Checkpoint.gapsMaximum))
        }
        state.withLock { state in
            state.revision += 1
            guard state.streams[stream] != nil else {
                return add(to: &state.gapsBefore[stream, default: []])
            }
            state.visit(stream) { add(to: &$0.gaps) }
        }
    }

    /// Notes that a stream is read again, whatever was thought of its end.
    package func resume(_ stream: StreamARN) {
        state.withLock { state in
            guard state.streams[stream]?.isDrained == true else { return }
            state.revision += 1
            state.visit(stream) { $0.isDrained = false }
        }
    }

    /// Notes that nothing more is to be read from a stream, if it has begun.
    package func drain(_ stream: StreamARN) {
        state.withLock { state in
            guard state.streams[stream] != nil else { return }
            state.revision += 1
            state.visit(stream) { $0.isDrained = true }
        }
    }

    /// What has been counted since the start.
    package var counts: Counts { state.withLock { $0.counts } }

    /// A number that grows with every change that is to be saved.
    package var revision: Int { state.withLock { $0.revision } }

    /// What is to be saved now.
    package func checkpoint(time: Double) -> Checkpoint {
        var checkpoint = Checkpoint(name: name, savedAt: time)
        for (arn, stream) in streams {
            checkpoint.streams[arn] = stream.memory
        }
        return checkpoint
    }
}
