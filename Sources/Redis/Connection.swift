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
    /// The number of connections that were made.
    private var era = 0
    private var reconnection = Reconnection(
        generator: SeededGenerator(seed: .random(in: .min ... .max)))
    private var jobs: [Job] = []
    private var pipeline = CommandBuffer()
    private var lastUse = ContinuousClock.now
    /// When to log in again; nil where a login lasts as long as its connection.
    private var renewal: LoginRenewal?
    /// The token of a renewal that is due.
    private var tokenRequest: TokenRequest?

    /// A connection that is not yet made.
    init(_ configuration: RedisConfiguration, inbox: Inbox, logger: Logger) {
        self.configuration = configuration
        finder = PrimaryFinder(configuration)
        self.inbox = inbox
        self.logger = logger
        renewal = configuration.tokenLogin.map {
            LoginRenewal(
                in: $0.renewal, generator: SeededGenerator(seed: .random(in: .min ... .max)))
        }
    }

    /// Serves the inbox until it is closed and empty.
    func run() {
        while true {
            let (arrived, isClosed) = inbox.take()
            jobs += arrived
            if isClosed, jobs.isEmpty { break }
            if session == nil, reconnection.earliest <= .now { connect() }
            renewLogin()
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
            era += 1
            lastUse = .now
            renewal?.succeed()
            if reconnection.failures == 0 {
                logger.info("Connected to Redis", metadata: metadata(of: session))
            }
            if configuration.isUnverified, reconnection.failures.nonzeroBitCount <= 1 {
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
        // What goes back to positions that were read before may not be true any more.
        for job in jobs where job.isMeant(forOtherThan: era) { job.fail(Self.outdated) }
        jobs.removeAll { $0.isMeant(forOtherThan: era) }
        guard !jobs.isEmpty else { return }
        pipeline.removeAll()
        var shares: [(job: Int, commands: Int)] = []
        for index in jobs.indices {
            guard jobs[index].send(into: &pipeline) else { break }
            shares.append((index, jobs[index].commandCount))
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
        let ending = jobs.lazy.compactMap(\.ending).first
        for job in jobs where job.isDone { job.finish(era: era, identity: session.identity) }
        jobs.removeAll { $0.isDone }
        if let ending {
            lose(session, ending)
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

    /// Logs in again where that is due.
    ///
    /// Pipelines go on while the token is made. It is sent between two of them, so never within a transaction.
    private func renewLogin() {
        guard let session, let login = configuration.tokenLogin, let due = renewal?.due,
            due <= .now
        else { return }
        let request =
            tokenRequest
            ?? TokenRequest(
                login, until: .now + configuration.connectTimeout, waking: inbox.waker)
        tokenRequest = request
        guard let outcome = request.outcome else { return }
        tokenRequest = nil
        switch outcome {
        case .failure(let reason): noteLoginFailure(reason)
        case .success(let token):
            do throws(SinkError) {
                let refusal = try session.logIn(
                    configuration.address.user, with: token, within: configuration.commandTimeout)
                lastUse = .now
                if let refusal { noteLoginFailure(refusal) } else { noteLogin(session) }
            } catch {
                lose(session, error)
            }
        }
    }

    private func noteLogin(_ session: Session) {
        renewal?.succeed()
        logger.info("Logged in to Redis again", metadata: metadata(of: session))
    }

    private func noteLoginFailure(_ reason: SinkError) {
        guard renewal?.fail() == true, let failures = renewal?.failures else { return }
        logger.warning(
            "The login to Redis could not be renewed; the connection is kept, trying again",
            metadata: [
                "address": "\(configuration.address)", "reason": "\(reason)",
                "attempt": "\(failures)",
            ])
    }

    /// Ends the connection; nothing of the pipeline under way counts.
    ///
    /// Not even what was answered: where replies and commands do not match, no answer can be trusted.
    private func lose(_ session: Session, _ reason: SinkError) {
        session.giveUp()
        self.session = nil
        tokenRequest = nil
        // A refusal is that of one batch, which knows it; for the others the connection is gone, no more.
        let others = reason.kind == .refused ? SinkError(.unavailable, reason.message) : reason
        for job in jobs { job.fail(others) }
        jobs = []
        noteFailure(reason)
    }

    private static var outdated: SinkError {
        SinkError(.outdated, "the connection to Redis was lost and made again")
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
