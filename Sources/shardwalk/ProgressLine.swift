import Glibc
import Walk

/// Shows how a replay comes on: one line that changes on a terminal, a line now and then elsewhere.
struct ProgressLine: Sendable {
    /// What is shown.
    struct Figures: Equatable, Sendable {
        /// Shards that are drained.
        var shardsDone = 0
        /// Shards that are not, and had nothing more to read when they were last asked.
        var shardsCaughtUp = 0
        /// Shards that are known.
        var shards = 0
        /// Records applied since the start.
        var records = 0
        /// The age of the oldest last record among the shards that have not caught up, in seconds.
        var lag: Double?

        /// The figures of a progress at a time, in seconds since 1970.
        init(_ progress: Progress, time: Double) {
            records = progress.counts.records
            for stream in progress.streams.values {
                shards += stream.tree.nodes.count
                for node in stream.tree.nodes.values {
                    if node.memory.position == .end {
                        shardsDone += 1
                    } else if node.isCaughtUp {
                        shardsCaughtUp += 1
                    }
                    guard !node.isCaughtUp, let recordTime = node.memory.recordTime else {
                        continue
                    }
                    lag = max(lag ?? 0, time - recordTime)
                }
            }
        }

        /// One line, with the speed since `earlier`.
        func line(since earlier: Figures?, seconds: Double) -> String {
            let fresh = Double(records - (earlier?.records ?? 0))
            let speed = Int(seconds > 0 ? fresh / seconds : 0)
            let lag = lag.map { "\(Int($0)) s" } ?? "-"
            return
                "shards \(shardsDone + shardsCaughtUp)/\(shards) done  records \(records)  \(speed) records/s  lag \(lag)"
        }
    }

    /// How often a terminal is refreshed, and how often a line is printed elsewhere.
    private var beat: Duration {
        Terminal.isTerminal(STDOUT_FILENO) ? .milliseconds(500) : .seconds(10)
    }

    /// Shows the figures until the task is cancelled, and a last time then.
    func show(_ progress: Progress, clock: some WalkClock) async {
        let isTerminal = Terminal.isTerminal(STDOUT_FILENO)
        var earlier: Figures?
        var shownAt = clock.uptime
        while true {
            await clock.sleep(for: beat)
            let now = clock.uptime
            let figures = Figures(progress, time: clock.time)
            let elapsed = now - shownAt
            let seconds =
                Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
            let line = figures.line(since: earlier, seconds: seconds)
            // Return to the start of the line and clear it: the next figures replace these.
            Terminal.write(isTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n", to: STDOUT_FILENO)
            (earlier, shownAt) = (figures, now)
            if Task.isCancelled {
                if isTerminal { Terminal.write("\n", to: STDOUT_FILENO) }
                return
            }
        }
    }
}
