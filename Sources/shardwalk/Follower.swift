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
    /// What is allowed and may yet not be meant; told once, at the start.
    var notes: [String] = []

    /// Notes on streams whose keys can be the same text, so that they overwrite each other.
    static func collisions(_ targets: [Target]) -> [String] {
        var first: [String: Target] = [:]
        return targets.compactMap { target in
            let shape = target.mapping.key.shape
            guard let other = first[shape] else {
                first[shape] = target
                return nil
            }
            return
                "\(other.stream.origin) and \(target.stream.origin) make keys of one form (\(shape)): an item of one replaces that of the other; begin their keys differently"
        }
    }
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
        let held = await heldStreams()
        let older = olderStreams(held)
        for older in older where !isDrained(older) {
            switch await finish(older, isFinished: held[older]?.isFinished ?? false) {
            case .done(let blocked): left += blocked
            case .interrupted: return .interrupted
            case .failed(let stop): return .failed(stop)
            }
        }
        var current = target
        var (start, beginsAnew) = (target.stream.start, restarts)
        let isKnown = parts.progress.knows(current.arn) || held[current.arn] != nil
        if !isKnown, !older.isEmpty {
            addSwitchGap(to: current.arn)
            start = .trimHorizon
        }
        while true {
            let isOver: Bool
            switch await walk(current, from: start, anew: beginsAnew) {
            case .success(.cancelled): return .interrupted
            case .success(.caughtUp(let blocked)): return .done(left: left + blocked)
            case .success(.drained):
                parts.logger.error(
                    "the stream is switched off and read to its end",
                    metadata: [
                        "stream": "\(current.arn)",
                        "do": "switch the table's stream on, with NEW_IMAGE",
                    ])
                guard goal == .follow, case .table = target.stream.origin else {
                    return .done(left: left)
                }
                isOver = true
            case .failure(let error):
                noteFailure(current.arn, error)
                guard goal == .follow, case .table = target.stream.origin,
                    case .streamGone = error
                else {
                    return .failed(Stop(error, of: target.stream.origin))
                }
                isOver = false
            }
            guard let next = await nextTarget(after: current.arn, isOver: isOver) else {
                return .interrupted
            }
            beginsAnew = false
            if next.arn != current.arn {
                parts.progress.drain(current.arn)
                addSwitchGap(to: next.arn)
                start = .trimHorizon
            }
            current = next
        }
    }

    /// Reads an older stream of the table to its end, with the keys that the table had then; one that `isFinished` may be gone.
    private func finish(_ older: StreamARN, isFinished: Bool) async -> Ending {
        parts.logger.warning(
            "the table has a new stream; the old one is read to its end first",
            metadata: ["stream": "\(older)", "new": "\(target.arn)"])
        let entry = Config.Stream(
            origin: .arn(older), start: .trimHorizon, key: target.stream.key)
        let failure: String
        do throws(Stop) {
            let found = try await services.resolve(
                entry, progress: parts.progress, patiently: goal == .follow)
            switch await walk(found, from: .trimHorizon, anew: restarts) {
            case .success(.cancelled): return .interrupted
            case .success(.caughtUp(let blocked)): return .done(left: blocked)
            case .success(.drained): return .done(left: 0)
            case .failure(.foreign(let reason)):
                return .failed(Stop(.foreign(reason), of: target.stream.origin))
            case .failure(.cacheLost): return .failed(Stop(.cacheLost, of: target.stream.origin))
            case .failure(let error): failure = "\(error)"
            }
        } catch {
            if error.exit == .interrupted { return .interrupted }
            failure = error.reason
        }
        parts.progress.drain(older)
        // Redis says that nothing was left to be read.
        if isFinished { return .done(left: 0) }
        let reason = "the stream is gone before it was read to its end: \(failure)"
        parts.progress.addGap(
            Checkpoint.Gap(shard: nil, reason: reason, noticedAt: parts.clock.time), to: older)
        parts.logger.error("gap: changes are lost", metadata: ["reason": "\(reason)"])
        return .done(left: 0)
    }

    private func walk(
        _ target: Target, from start: StartPosition, anew: Bool
    ) async -> Result<Walker<StreamsSource, RedisSink, SystemClock>.Ending, WalkError> {
        var random = SystemRandomNumberGenerator()
        let walker = Walker(
            target.arn, from: start, anew: anew, mapping: target.mapping, goal: goal,
            seed: random.next(), parts: parts)
        do throws(WalkError) { return .success(try await walker.run()) } catch {
            return .failure(error)
        }
    }

    /// The streams of a configured table that were followed before, oldest first.
    static func remembered(
        _ stream: Config.Stream, region: String, in progress: Progress
    ) -> [StreamARN] {
        guard case .table(let table) = stream.origin else { return [] }
        return progress.streams.keys.filter { $0.table == table && $0.region == region }
            .sorted { $0.label < $1.label }
    }

    private func isDrained(_ arn: StreamARN) -> Bool {
        parts.progress.streams[arn]?.isDrained ?? false
    }

    /// The streams of the table that were followed before this one, oldest first, so that it goes on with what they left.
    private func olderStreams(
        _ held: [StreamARN: PositionHash.Content]
    ) -> [StreamARN] {
        guard case .table = target.stream.origin else { return [] }
        let known = parts.progress.streams.keys.filter { isOfTable($0) }
        return Set(known).union(held.keys).filter { $0.label < target.arn.label }
            .sorted { $0.label < $1.label }
    }

    private func isOfTable(_ other: StreamARN) -> Bool {
        other.table == target.arn.table && other.region == target.arn.region
    }

    /// The streams of the table that Redis holds positions of, where the checkpoint knows nothing of the table: a container
    /// without a volume forgets.
    private func heldStreams() async -> [StreamARN: PositionHash.Content] {
        guard case .table = target.stream.origin, parts.sink.holdsPositions,
            !parts.progress.streams.keys.contains(where: isOfTable)
        else { return [:] }
        var backoff = Backoff(
            base: .milliseconds(100), maximum: .seconds(2),
            generator: SeededGenerator(seed: .random(in: .min ... .max)))
        while !Task.isCancelled {
            parts.progress.noteActivity()
            do throws(SinkError) {
                var held: [StreamARN: PositionHash.Content] = [:]
                for stream in try await parts.sink.streams() where isOfTable(stream) {
                    let content = try await parts.sink.positions(of: stream)
                    if content.beginning != nil { held[stream] = content }
                }
                return held
            } catch {
                let verdict = Verdict(on: error)
                parts.failures.note(
                    "positions/\(error.kind.rawValue)",
                    level: verdict == .retry ? .warning : .error, at: parts.clock.uptime,
                    "the cache's positions can't be read or written; the walk waits for them, trying again",
                    ["stream": "\(target.arn)", "error": "\(error)"])
                let pause: Verdict = verdict == .block ? .retrySlowly : verdict
                await parts.clock.sleep(for: pause.pause(&backoff))
            }
        }
        return [:]
    }

    /// Waits until the table names a stream again: another one if the last `isOver`; nil when the task is cancelled.
    private func nextTarget(after arn: StreamARN, isOver: Bool) async -> Target? {
        while !Task.isCancelled {
            await parts.clock.sleep(for: Self.lookBeat)
            parts.progress.noteActivity()
            do throws(Stop) {
                let found = try await services.resolve(target.stream, patiently: false)
                if found.arn != arn || !isOver { return found }
                parts.failures.note(
                    "table", at: parts.clock.uptime, "the table's stream is still switched off",
                    ["table": "\(target.stream.origin)"])
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
        let words: Logger.Message =
            switch error {
            case .streamGone, .refused: "the stream can't be read any more"
            case .foreign, .cacheLost: "the stream is not followed any more"
            }
        parts.logger.error(words, metadata: ["stream": "\(arn)", "reason": "\(error)"])
    }

    private func addSwitchGap(to arn: StreamARN) {
        let reason =
            "the table's stream was switched off and on: what was changed in between is in no stream"
        parts.progress.addGap(
            Checkpoint.Gap(shard: nil, reason: reason, noticedAt: parts.clock.time), to: arn)
        parts.logger.error("gap: \(reason)", metadata: ["stream": "\(arn)"])
    }
}

extension Stop {
    /// The end that a stream brings which can't be walked, or not any more.
    init(_ error: WalkError, of origin: Config.Stream.Origin) {
        let reason = "\(origin): \(error)"
        switch error {
        case .streamGone, .refused:
            self.init(
                .unavailable, reason, advice: "give the table's name or its latest stream's ARN")
        case .foreign:
            self.init(
                .configuration, reason,
                advice:
                    "run one shardwalk for this name and Redis; `shardwalk status --redis` shows what is there"
            )
        case .cacheLost:
            self.init(
                .blocked, reason,
                advice:
                    "`shardwalk replay` writes again what the stream still keeps; or set redis.onCacheLoss to rewind or resume"
            )
        }
    }
}
