import Logging
import Records
import Redis
import Streams
import Walk

/// A configured stream as it was found: its name at this moment, and what becomes of its records.
struct Target: Sendable {
    /// What the configuration says.
    let stream: Config.Stream
    /// The stream's name now.
    let arn: StreamARN
    /// From its records to the cache.
    let mapping: Mapping
}

/// Follows one configured stream, and the ones that come after it when a table's stream is switched off and on.
struct Follower: Sendable {
    /// What all followers share.
    typealias Parts = WalkParts<StreamsSource, RedisSink, SystemClock>

    /// How following came to its end.
    enum Ending: Sendable {
        /// The goal is reached, but for so many shards that were left before their end.
        case done(left: Int)
        /// The task was cancelled before the goal was reached.
        case interrupted
        /// Something that only a person can mend.
        case failed(Stop)
    }

    /// How often a table without a living stream is looked at.
    private static let lookBeat = Duration.seconds(30)

    private let target: Target
    private let goal: Goal
    private let restarts: Bool
    private let services: Services
    private let parts: Parts

    /// Follows `target` to `goal`; with `restarts` it begins anew, whatever is remembered of it.
    init(_ target: Target, goal: Goal, restarts: Bool, services: Services, parts: Parts) {
        self.target = target
        self.goal = goal
        self.restarts = restarts
        self.services = services
        self.parts = parts
    }

    /// Follows until the goal is reached, the stream is over for good or the task is cancelled.
    func run() async -> Ending {
        var left = 0
        // What an older stream of the table still holds comes first: it is older than everything in the new one.
        for older in Self.unfinished(target.stream, in: parts.progress)
        where older.label < target.arn.label {
            parts.logger.warning(
                "the table has a new stream; the old one is read to its end first",
                metadata: ["stream": "\(older)", "new": "\(target.arn)"])
            switch await walk(older, from: .trimHorizon) {
            case .success(.cancelled): return .interrupted
            case .success(.caughtUp(let blocked)): left += blocked
            case .success(.drained): break
            case .failure(let error): noteFailure(older, error)
            }
        }
        var arn = target.arn
        var start = target.stream.start
        var beginsAnew = restarts
        if !parts.progress.knows(arn), followsAnother(arn) {
            addSwitchGap(to: arn)
            start = .trimHorizon
        }
        while true {
            switch await walk(arn, from: start, anew: beginsAnew) {
            case .success(.cancelled): return .interrupted
            case .success(.caughtUp(let blocked)): return .done(left: left + blocked)
            case .success(.drained):
                guard goal == .follow, case .table = target.stream.origin else {
                    return .done(left: left)
                }
                parts.logger.error(
                    "the stream is switched off and read to its end; waiting for a new one",
                    metadata: [
                        "stream": "\(arn)", "do": "enable the table's stream with NEW_IMAGE",
                    ])
            case .failure(let error):
                guard goal == .follow, case .table = target.stream.origin,
                    case .streamGone = error
                else {
                    return .failed(
                        Stop(
                            .unavailable, "\(target.stream.origin): \(error)",
                            advice: "give the table's name or its latest stream's ARN"))
                }
                noteFailure(arn, error)
            }
            guard let next = await nextStream(after: arn) else { return .interrupted }
            addSwitchGap(to: next)
            (arn, start, beginsAnew) = (next, .trimHorizon, false)
        }
    }

    private func walk(
        _ arn: StreamARN, from start: StartPosition, anew: Bool = false
    ) async -> Result<Walker<StreamsSource, RedisSink, SystemClock>.Ending, WalkError> {
        var random = SystemRandomNumberGenerator()
        let walker = Walker(
            arn, from: start, anew: anew, mapping: target.mapping, goal: goal, seed: random.next(),
            parts: parts)
        do throws(WalkError) { return .success(try await walker.run()) } catch {
            return .failure(error)
        }
    }

    /// The streams of a configured table that were followed before and not read to their ends, oldest first.
    static func unfinished(_ stream: Config.Stream, in progress: Progress) -> [StreamARN] {
        guard case .table(let table) = stream.origin else { return [] }
        return progress.streams.filter { arn, stream in arn.table == table && !stream.isDrained }
            .map(\.key).sorted { $0.label < $1.label }
    }

    /// Whether an older stream of the table was followed, so that this one goes on with what that one left.
    private func followsAnother(_ arn: StreamARN) -> Bool {
        parts.progress.streams.keys.contains { $0.table == arn.table && $0.label < arn.label }
    }

    /// Waits until the table has another stream; nil when the task is cancelled.
    private func nextStream(after arn: StreamARN) async -> StreamARN? {
        while !Task.isCancelled {
            await parts.clock.sleep(for: Self.lookBeat)
            parts.progress.noteActivity()
            do throws(Stop) {
                let found = try await services.resolve(target.stream, patiently: false)
                if found.arn != arn { return found.arn }
            } catch {
                if Task.isCancelled { break }
                parts.failures.note(
                    "table", level: .error, at: parts.clock.uptime,
                    "the table has no stream that can be followed; looking again",
                    ["table": "\(target.stream.origin)", "reason": "\(error.reason)"])
            }
        }
        return nil
    }

    private func noteFailure(_ arn: StreamARN, _ error: WalkError) {
        if case .streamGone = error { parts.progress.drain(arn) }
        parts.logger.error(
            "the stream can't be read any more",
            metadata: ["stream": "\(arn)", "reason": "\(error)"])
    }

    private func addSwitchGap(to arn: StreamARN) {
        let reason =
            "the table's stream was switched off and on: what was changed in between is in no stream"
        parts.progress.addGap(
            Checkpoint.Gap(shard: nil, reason: reason, noticedAt: parts.clock.time), to: arn)
        parts.logger.error("gap: \(reason)", metadata: ["stream": "\(arn)"])
    }
}
