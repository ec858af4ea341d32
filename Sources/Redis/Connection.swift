import Logging
import Walk

/// The connection's life, on a thread of its own: connect, carry batches, rest, lose it, connect again.
///
/// Whatever waits at the same moment travels together: one pipeline, whose replies are given back to their
/// batches. One pipeline is under way at a time, so that what waits meanwhile makes up the next one.
final class Connection {
    private let configuration: RedisConfiguration
    private let finder: PrimaryFinder
    private let inbox: Inbox
    private let logger: Logger
    private var session: Session?
    private var reconnection = Reconnection(
        generator: SeededGenerator(seed: .random(in: .min ... .max)))
    private var jobs: [Job] = []
    private var pipeline = CommandBuffer()
    private var lastUse = ContinuousClock.now

    /// A connection that is not yet made.
    init(_ configuration: RedisConfiguration, inbox: Inbox, logger: Logger) {
        self.configuration = configuration
        finder = PrimaryFinder(configuration)
        self.inbox = inbox
        self.logger = logger
    }

    /// Serves the inbox until it is closed and empty.
    func run() {
        while true {
            let (arrived, isClosed) = inbox.take()
            jobs += arrived
            if isClosed, jobs.isEmpty { break }
            if session == nil, reconnection.earliest <= .now { connect() }
            if let session {
                jobs.isEmpty ? rest(session) : carry(session)
            } else {
                for job in jobs { job.fail(reconnection.refusal()) }
                jobs = []
                if !isClosed { inbox.waker.wait(until: reconnection.earliest) }
            }
        }
        inbox.end()
    }

    private func connect() {
        do throws(SinkError) {
            let session = try Session(configuration, finder)
            self.session = session
            lastUse = .now
            if reconnection.failures == 0 {
                logger.info("Connected to Redis", metadata: metadata(of: session))
            }
            if configuration.isUnverified {
                logger.warning(
                    "Connected to Redis without looking at its certificate (redis.tls.skipVerification)",
                    metadata: metadata(of: session))
            }
            if session.isKnownToTakeWrites {
                noteSuccess(session)
            }
        } catch {
            noteFailure(error)
        }
    }

    /// Sends the batches that wait, as far as they fit into one pipeline, and takes their replies.
    private func carry(_ session: Session) {
        pipeline.removeAll()
        var shares: [(job: Int, commands: Int)] = []
        for index in jobs.indices {
            let commands = jobs[index].send(into: &pipeline)
            if commands == 0 { break }
            shares.append((index, commands))
        }

        var share = 0
        do throws(SinkError) {
            try session.exchange(pipeline, within: configuration.commandTimeout) {
                reply throws(SinkError) in
                try jobs[shares[share].job].take(reply)
                shares[share].commands -= 1
                if shares[share].commands == 0 { share += 1 }
            }
            settle(session)
        } catch {
            lose(session, error)
        }
    }

    /// After a pipeline was answered: finishes what is complete, and acts on refusals of the server as such.
    private func settle(_ session: Session) {
        lastUse = .now
        let ending = jobs.first { $0.endsConnection }
        for job in jobs where job.isDone { job.finish() }
        jobs.removeAll { $0.isDone }
        if let ending {
            lose(session, ending.failure ?? SinkError(.unavailable, "the server refused to go on"))
        } else {
            noteSuccess(session)
        }
    }

    /// Waits for batches, and asks now and then whether the other side is still there.
    private func rest(_ session: Session) {
        do throws(SinkError) {
            let deadline = lastUse + configuration.idleLimit
            guard try !session.rest(orWoken: inbox.waker, until: deadline) else { return }
            if let refusal = try session.ping(within: configuration.idleTimeout),
                refusal.verdict.endsConnection
            {
                throw refusal.sinkError(for: "PING")
            }
            lastUse = .now
            noteSuccess(session)
        } catch {
            lose(session, error)
        }
    }

    /// Ends the connection; nothing of the pipeline under way counts.
    ///
    /// Not even what was answered: where replies and commands do not match, no answer can be trusted.
    private func lose(_ session: Session, _ reason: SinkError) {
        session.giveUp()
        self.session = nil
        // A refusal is that of one batch, which knows it; for the others the connection is gone, no more.
        let others = reason.kind == .refused ? SinkError(.unavailable, reason.message) : reason
        for job in jobs { job.fail(others) }
        jobs = []
        noteFailure(reason)
    }

    private func noteFailure(_ reason: SinkError) {
        guard reconnection.fail(reason) else { return }
        logger.warning(
            "No connection to Redis; connecting again",
            metadata: [
                "address": "\(configuration.address)", "reason": "\(reason)",
                "attempt": "\(reconnection.failures)",
            ])
    }

    private func noteSuccess(_ session: Session) {
        guard let outage = reconnection.succeed() else { return }
        var metadata = metadata(of: session)
        metadata["after"] = "\(outage.formatted)"
        logger.info("Connected to Redis again", metadata: metadata)
    }

    private func metadata(of session: Session) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "address": "\(configuration.address)", "peer": "\(session.peer)",
            "server": "\(session.server.version ?? "unknown")",
        ]
        if let version = session.tlsVersion { metadata["tls"] = "\(version)" }
        return metadata
    }
}
