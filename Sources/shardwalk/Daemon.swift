import AWS
import Dispatch
import Glibc
import Logging
import Records
import Redis
import Streams
import Walk

/// The daemon in one piece: configuration in; source, sink and checkpoint wired together, and walked.
struct Daemon: Sendable {
    /// How long an orderly end may take, before the process ends without it.
    static let stopDeadline = Duration.seconds(20)

    private let config: Config
    private let services: Services
    private let logger: Logger
    private let systemd: Systemd
    private let clock: SystemClock

    /// Reads the settings of AWS and opens what needs no network yet.
    init(_ config: Config, environment: [String: String]) async throws(Stop) {
        self.config = config
        logger = LineLog.logger(config, environment: environment)
        systemd = Systemd(environment: environment)
        let services = try await Services(config, environment: environment, logger: logger)
        self.services = services
        // What is compared with the times of records and shards is the service's time, however wrong this host's is.
        clock = SystemClock { services.serverClock.correction }
    }

    /// Walks all streams until a signal, or, as a replay, to where they stand now.
    ///
    /// With `restart` the streams begin anew instead of where the checkpoint stands. The observer runs beside the walk
    /// and is cancelled at its end.
    func run(
        isReplay: Bool, restart: Bool, observer: (@Sendable (Progress) async -> Void)? = nil
    ) async throws(Stop) {
        logger.notice(
            "shardwalk starts",
            metadata: [
                "version": "\(Main.version)", "name": "\(config.name)",
                "redis": "\(config.redis.address)",
                "streams": "\(config.streams.map(\.origin.description).joined(separator: ", "))",
            ])
        if config.redis.isUnverified {
            logger.error(
                "redis.tls.skipVerification is on: anybody on the way can read and change what goes to Redis, the password too"
            )
        }
        try Check.checkFiles(config.redis)
        let file = try openCheckpoint()
        let remembered = try load(file)
        let progress = Progress(name: config.name, resuming: remembered)
        let saver = CheckpointSaver(
            progress, to: file, every: config.checkpointBeat, clock: clock, logger: logger)
        let sink = try openSink()
        let parts = WalkParts(
            source: services.source, sink: sink, clock: clock, progress: progress,
            memory: ByteBudget(limit: config.pageBytes),
            calls: CallBudget(callsPerSecond: config.aws.describeCallsPerSecond, clock: clock),
            idle: config.idle, onCacheLoss: config.onCacheLoss, logger: logger
        ) { await saver.saveOrReport() }

        let work = Task {
            () async -> Result<[Follower.Ending], Stop> in
            await result { () async throws(Stop) in
                try await follow(isReplay, restart: restart, remembered, parts, saver)
            }
        }
        let signals = Signals {
            logger.notice("stopping: pages in hand are applied and recorded")
            systemd.stopping()
            work.cancel()
            endAfterDeadline(isReplay)
        }
        let companions = startCompanions(observer, progress, saver)
        let endings = await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            work.cancel()
        }
        for companion in companions { companion.cancel() }
        for companion in companions { await companion.value }
        systemd.stopping()
        let saved = await result { () async throws(CheckpointError) in try await saver.save() }
        await sink.close()
        await services.close()
        withExtendedLifetime(signals) {}
        if case .failure(let error) = saved { throw Stop(error) }
        try report(endings, isReplay, progress)
    }

    // MARK: Parts of a run

    private func openCheckpoint() throws(Stop) -> CheckpointFile<SystemFiles> {
        do throws(CheckpointError) {
            return try CheckpointFile(
                directory: config.checkpointDirectory, name: config.name, files: SystemFiles())
        } catch {
            throw Stop(error)
        }
    }

    private func openSink() throws(Stop) -> RedisSink {
        do throws(SinkError) {
            return try RedisSink(services.redis(config), logger: logger)
        } catch {
            throw Stop(.unavailable, error.message)
        }
    }

    private func load(_ file: CheckpointFile<SystemFiles>) throws(Stop) -> Checkpoint? {
        do throws(CheckpointError) { return try file.load() } catch { throw Stop(error) }
    }

    /// Finds the streams, shows that the checkpoint can be written, and follows them side by side.
    private func follow(
        _ isReplay: Bool, restart: Bool, _ remembered: Checkpoint?,
        _ parts: Follower.Parts, _ saver: CheckpointSaver<CheckpointFile<SystemFiles>, SystemClock>
    ) async throws(Stop) -> [Follower.Ending] {
        // From here on the daemon waits by itself for whatever is not there yet.
        systemd.ready("looking up \(StatusReport.counted(config.streams.count, "stream"))")
        if isReplay { _ = try await Check.probe(services.redis(config)) }
        var targets: [Target] = []
        for stream in config.streams {
            targets.append(
                try await services.resolve(
                    stream, progress: parts.progress, patiently: !isReplay))
        }
        // By now the service has answered, and its time is known.
        let goal = isReplay ? Goal.catchUp(to: clock.time) : .follow
        for note in targets.flatMap(\.notes) + Target.collisions(targets) {
            logger.warning("\(note)")
        }
        let followers = targets.map { target in
            Follower(target, goal: goal, restarts: restart, services: services, parts: parts)
        }
        do throws(CheckpointError) {
            // A directory that can't be written to is better found now than in an hour.
            try await saver.save()
        } catch {
            throw Stop(error)
        }
        warnOfOldPositions(remembered)
        systemd.status("following \(StatusReport.counted(followers.count, "stream"))")
        return await withTaskGroup(of: Follower.Ending.self) { group in
            for follower in followers { group.addTask { await follower.run() } }
            var endings: [Follower.Ending] = []
            for await ending in group {
                if case .failed(let stop) = ending {
                    logger.error("a stream is given up", metadata: ["reason": "\(stop.reason)"])
                }
                endings.append(ending)
            }
            return endings
        }
    }

    /// Positions without a record can't tell that records were trimmed, so a long pause is told instead.
    private func warnOfOldPositions(_ remembered: Checkpoint?) {
        guard let remembered, clock.time - remembered.savedAt > 23 * 3_600 else { return }
        logger.error(
            "the checkpoint is older than what streams keep (24 hours): changes may be lost; shards that lost records are reported as they are read",
            metadata: ["hours": "\(Int((clock.time - remembered.savedAt) / 3_600))"])
    }

    private func startCompanions(
        _ observer: (@Sendable (Progress) async -> Void)?, _ progress: Progress,
        _ saver: CheckpointSaver<CheckpointFile<SystemFiles>, SystemClock>
    ) -> [Task<Void, Never>] {
        var tasks = [Task { await saver.run() }]
        if let observer { tasks.append(Task { await observer(progress) }) }
        if let interval = systemd.watchdogInterval {
            tasks.append(Task { await watch(progress, every: interval / 4) })
        }
        return tasks
    }

    /// Tells systemd that the service lives, while anything at all still happens in the walk.
    private func watch(_ progress: Progress, every beat: Duration) async {
        var seen = -1
        while !Task.isCancelled {
            let activity = progress.activity
            if activity != seen { systemd.watchdog() }
            seen = activity
            await clock.sleep(for: beat)
        }
    }

    private func endAfterDeadline(_ isReplay: Bool) {
        let seconds = Int(Self.stopDeadline.components.seconds)
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds)) {
            logger.warning(
                "the pages in hand could not be finished in time; they are applied again at the next start",
                metadata: ["seconds": "\(seconds)"])
            Signals.claimEnd()
            // A replay that was cut short is not done, and says so.
            quick_exit(isReplay ? Exit.interrupted.rawValue : 0)
        }
    }

    private func report(
        _ result: Result<[Follower.Ending], Stop>, _ isReplay: Bool, _ progress: Progress
    ) throws(Stop) {
        let counts = progress.counts
        logger.notice(
            "shardwalk ends",
            metadata: ["records": "\(counts.records)", "keys": "\(counts.changes)"])
        let endings: [Follower.Ending]
        switch result {
        case .success(let all): endings = all
        case .failure(let stop) where stop.exit == .interrupted: endings = [.interrupted]
        case .failure(let stop): throw stop
        }
        for ending in endings {
            switch ending {
            case .done(left: 0): break
            case .interrupted where !isReplay: break
            case .interrupted:
                throw Stop(
                    .interrupted, "the replay was interrupted; what was applied is recorded",
                    advice: "shardwalk replay --from checkpoint goes on with it")
            case .failed(let stop): throw stop
            case .done(let count):
                throw Stop(
                    .blocked,
                    "\(StatusReport.counted(count, "shard")) had to be left before the end",
                    advice: "the log says which and why; `shardwalk status` shows where they stand")
            }
        }
    }
}

/// Runs what throws one kind of error and returns what came of it.
private func result<Success, Failure>(
    _ body: () async throws(Failure) -> Success
) async -> Result<Success, Failure> {
    do throws(Failure) { return .success(try await body()) } catch { return .failure(error) }
}

extension Stop {
    /// The end that a checkpoint which can't be used brings.
    init(_ error: CheckpointError) {
        self.init(.storage, error.description, advice: error.advice)
    }
}
