package import FoundationEssentials
package import Logging

/// Keys for everyone who signs, renewed ahead of their end by one fetch that all waiters share.
///
/// The state it guards: the keys, the one fetch under way, and who waits for it. While the keys it holds are
/// valid nobody waits; a fetch that fails then is a warning, and is tried again after a pause. It never
/// repeats a fetch by itself: a call brings it about, so an idle daemon asks nobody for keys.
package actor CredentialCache {
    /// Gets new keys from their source; bounded in time by itself.
    package typealias Fetch = @Sendable () async throws(CredentialError) -> Credentials

    /// The longest time before the end of keys at which they are renewed, as in the SDKs.
    private static let longestWindow: TimeInterval = 15 * 60
    /// The shortest time between two fetches that a refusal of the service brings about.
    private static let renewalPause = Duration.seconds(30)
    /// The longest pause after a failed fetch, in seconds.
    private static let longestPause = 60.0

    private let fetch: Fetch
    private let now: @Sendable () -> Date
    private let instant: @Sendable () -> ContinuousClock.Instant
    private let logger: Logger

    private var held: Held?
    private var failure: Failure?
    private var renewed: ContinuousClock.Instant?
    /// Whether a fetch is under way.
    private(set) var fetching = false
    /// Who waits for the fetch under way, by a number of its own.
    private(set) var waiters: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
    private var nextWaiter: UInt64 = 0

    /// What a fetch brought.
    typealias Outcome = Result<Credentials, CredentialError>

    private struct Held {
        let credentials: Credentials
        /// From when on a call brings about a fetch; nil for keys without an end.
        let renewal: Date?
    }

    private struct Failure {
        let error: CredentialError
        /// How many fetches have failed in a row.
        let count: Int
        /// Before this no call brings about another fetch.
        let pauseEnd: ContinuousClock.Instant
    }

    /// A cache that is empty until the first call.
    ///
    /// `now` is the wall clock, corrected by what AWS's answers say, since keys end by AWS's time; pauses
    /// are measured by `instant`, which no clock adjustment moves.
    package init(
        logger: Logger, now: @escaping @Sendable () -> Date = { Date() },
        instant: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        fetch: @escaping Fetch
    ) {
        self.fetch = fetch
        self.now = now
        self.instant = instant
        self.logger = logger
    }

    /// Keys that are valid now, and for so many seconds still: for whoever signs what is used later.
    ///
    /// Keys near their end (15 minutes, or a quarter of their life if that is shorter) are given out while
    /// a fetch for new ones is under way; those that end within the time asked for are renewed first.
    /// - Throws: `CredentialError` where no such keys are held and none could be fetched; after a failure
    ///   the same error comes at once until its pause is over, which is at most a minute.
    package func credentials(
        remaining: TimeInterval = 0
    ) async throws(CredentialError) -> Credentials {
        let pausing = failure.map { instant() < $0.pauseEnd } ?? false
        if let held, isValid(held.credentials, for: remaining) {
            if let renewal = held.renewal, now() >= renewal, !pausing { startFetch() }
            return held.credentials
        }
        if pausing, !fetching, let failure { throw failure.error }
        let fetched = try await nextFetch().get()
        guard isValid(fetched, for: remaining) else {
            throw CredentialError(
                .unavailable,
                "the source of the credentials gave keys that end at "
                    + "\(fetched.expiration?.ISO8601Format() ?? ""), too soon to sign with",
                remedy: "check this host's clock and the source")
        }
        return fetched
    }

    /// Newer keys than those that a service refused as expired or unknown, whatever the clock says.
    ///
    /// Returns at once where newer keys are held already; otherwise all callers share one fetch.
    /// - Throws: `CredentialError`; of the kind `denied` where the same keys were fetched anew within the
    ///   last 30 seconds and are refused again.
    package func renew(_ rejected: Credentials) async throws(CredentialError) -> Credentials {
        if let held, held.credentials != rejected, isValid(held.credentials) {
            return held.credentials
        }
        if !fetching, let renewed, instant() < renewed + Self.renewalPause {
            if let failure { throw failure.error }
            throw CredentialError(
                .denied,
                "AWS refuses the credentials of access key \(rejected.accessKeyID) as expired or "
                    + "unknown, also after they were fetched anew; they are fetched again in at most "
                    + "30 seconds",
                remedy: "check that the source of the credentials gives out keys that are active")
        }
        return try await nextFetch(forced: true).get()
    }

    private func isValid(_ credentials: Credentials, for remaining: TimeInterval = 0) -> Bool {
        credentials.expiration.map { now() + remaining < $0 } ?? true
    }

    /// Waits for the fetch under way, or for a new one; a cancelled waiter leaves the others theirs.
    private func nextFetch(forced: Bool = false) async -> Outcome {
        let waiter = nextWaiter
        nextWaiter += 1
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else {
                    return continuation.resume(returning: .failure(.cancelled))
                }
                waiters[waiter] = continuation
                if forced, !fetching { renewed = instant() }
                startFetch()
            }
        } onCancel: {
            Task { await self.abandon(waiter) }
        }
    }

    private func abandon(_ waiter: UInt64) {
        waiters.removeValue(forKey: waiter)?.resume(returning: .failure(.cancelled))
    }

    private func startFetch() {
        guard !fetching else { return }
        fetching = true
        // A task of its own: it belongs to all waiters, so no single one's cancellation may end it.
        Task { @concurrent [fetch] in
            do throws(CredentialError) {
                await self.finish(.success(try await fetch()))
            } catch {
                await self.finish(.failure(error))
            }
        }
    }

    private func finish(_ outcome: Outcome) {
        fetching = false
        let result = keep(outcome)
        let waiting = waiters.values
        waiters.removeAll()
        for waiter in waiting { waiter.resume(returning: result) }
    }

    /// Remembers what a fetch brought; says what its waiters get.
    private func keep(_ outcome: Outcome) -> Outcome {
        switch outcome {
        case .success(let fetched) where !isValid(fetched):
            return fail(
                CredentialError(
                    .unavailable,
                    "the source of the credentials gave keys that ended at "
                        + "\(fetched.expiration?.ISO8601Format() ?? "")",
                    remedy: "check this host's clock and the source"))
        case .success(let fetched):
            let renewal = fetched.expiration.map { end in
                end - min(Self.longestWindow, end.timeIntervalSince(now()) / 4)
            }
            held = Held(credentials: fetched, renewal: renewal)
            failure = nil
            logger.info(
                "credentials fetched",
                metadata: [
                    "access_key": "\(fetched.accessKeyID)",
                    "expires": "\(fetched.expiration?.ISO8601Format() ?? "never")",
                ])
            return outcome
        case .failure(let error):
            return fail(error)
        }
    }

    private func fail(_ error: CredentialError) -> Outcome {
        let count = (failure?.count ?? 0) + 1
        let ceiling = min(Self.longestPause, Double(UInt64(1) << min(UInt64(count), 6)))
        let pause = Double.random(in: 1...ceiling)
        failure = Failure(
            error: error, count: count, pauseEnd: instant() + .seconds(pause))
        log(error, count: count, pause: pause)
        return .failure(error)
    }

    /// The repeats of one failure are told at 1, 2, 4, 8 and so on.
    private func log(_ error: CredentialError, count: Int, pause: Double) {
        guard count & (count - 1) == 0 else { return }
        var metadata: Logger.Metadata = [
            "reason": "\(error)", "attempt": "\(count)",
            "pause_seconds": "\(Int(pause.rounded(.up)))",
        ]
        let end = held?.credentials.expiration
        if let end { metadata["expires"] = "\(end.ISO8601Format())" }
        // Old keys carry on alone; with less than five minutes of them left someone has to look.
        let urgent = held == nil || end.map { $0.timeIntervalSince(now()) < 300 } ?? false
        logger.log(
            level: urgent ? .error : .warning, "credentials could not be fetched",
            metadata: metadata)
    }
}
