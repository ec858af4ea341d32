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
        package var tree = ShardTree()
        /// Losses that were noticed, the latest last.
        package fileprivate(set) var gaps: [Checkpoint.Gap] = []
        /// Whether the stream was switched off and everything in it is applied.
        package var isDrained = false
    }

    /// Counts since the process started.
    package struct Counts: Equatable, Sendable {
        /// Records that were applied, each as often as it was.
        package var records = 0
        /// Keys that were written or removed.
        package var changes = 0
        /// GetRecords calls that were answered: the ones that cost money.
        package var pages = 0
    }

    private struct State {
        var streams: [StreamARN: Stream] = [:]
        var counts = Counts()
        var revision = 0
        var activity = 0
    }

    private let name: String
    private let state: Mutex<State>

    /// The progress of a daemon, as its checkpoint remembers it.
    package init(name: String, resuming checkpoint: Checkpoint?) {
        self.name = name
        var state = State()
        for (arn, memory) in checkpoint?.streams ?? [:] {
            state.streams[arn] = Stream(
                tree: ShardTree(memory), gaps: memory.gaps, isDrained: memory.isDrained)
        }
        self.state = Mutex(state)
    }

    /// Whether anything is remembered of a stream.
    package func knows(_ stream: StreamARN) -> Bool {
        state.withLock { $0.streams[stream] != nil }
    }

    /// The streams that anything is remembered of.
    package var streams: [StreamARN: Stream] { state.withLock { $0.streams } }

    /// Changes what is remembered of a stream; a stream that is not known yet begins empty.
    package func update<Result: Sendable>(
        _ stream: StreamARN, _ body: (inout Stream) -> Result
    ) -> Result {
        state.withLock { state in
            state.revision += 1
            return body(&state.streams[stream, default: Stream()])
        }
    }

    /// Looks at a stream, or changes what nobody needs after a restart: nothing is to be saved for it.
    package func visit<Result: Sendable>(
        _ stream: StreamARN, _ body: (inout Stream) -> Result
    ) -> Result {
        state.withLock { body(&$0.streams[stream, default: Stream()]) }
    }

    /// Forgets a stream, so that it begins anew.
    package func forget(_ stream: StreamARN) {
        state.withLock { state in
            state.revision += 1
            state.streams[stream] = nil
        }
    }

    /// Notes that a page is applied up to its last record.
    package func advance(
        _ stream: StreamARN, _ shard: ShardID, to number: SequenceNumber, recordTime: Double?,
        records: Int, changes: Int
    ) {
        state.withLock { state in
            state.revision += 1
            state.streams[stream]?.tree.advance(shard, to: number, recordTime: recordTime)
            state.counts.records += records
            state.counts.changes += changes
        }
    }

    /// Notes that a page came without records; nothing of this is saved.
    package func catchUp(_ stream: StreamARN, _ shard: ShardID) {
        state.withLock { $0.streams[stream]?.tree.catchUp(shard) }
    }

    /// Notes that a page was asked for and came.
    package func countPage() { state.withLock { $0.counts.pages += 1 } }

    /// Notes that something was tried, with success or without: the walk is alive.
    package func noteActivity() { state.withLock { $0.activity += 1 } }

    /// A number that grows as long as the walk is alive.
    package var activity: Int { state.withLock { $0.activity } }

    /// Notes a loss.
    package func addGap(_ gap: Checkpoint.Gap, to stream: StreamARN) {
        update(stream) { stream in
            stream.gaps.append(gap)
            stream.gaps.removeFirst(max(0, stream.gaps.count - Checkpoint.gapsMaximum))
        }
    }

    /// What has been counted since the start.
    package var counts: Counts { state.withLock { $0.counts } }

    /// A number that grows with every change that is to be saved.
    package var revision: Int { state.withLock { $0.revision } }

    /// What is to be saved now, and the revision that it shows.
    package func checkpoint(time: Double) -> (checkpoint: Checkpoint, revision: Int) {
        let (streams, revision) = state.withLock { ($0.streams, $0.revision) }
        var checkpoint = Checkpoint(name: name, savedAt: time)
        for (arn, stream) in streams {
            checkpoint.streams[arn] = Checkpoint.Stream(
                shards: stream.tree.memory, gaps: stream.gaps, isDrained: stream.isDrained)
        }
        return (checkpoint, revision)
    }
}
