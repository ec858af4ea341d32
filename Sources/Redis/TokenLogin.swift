import Dispatch
import Synchronization
package import Walk

/// A login with tokens: passwords that are made for each login and are good for a short time, over connections that
/// last for so long from their last login.
package struct TokenLogin: Sendable {
    /// A password that was made for one login.
    package struct Token: Sendable {
        /// What is sent in place of a password; never printed.
        package let text: String
        /// What is said when the server refuses it: what it was made for, and what to check.
        let advice: String

        /// A token; `advice` must not contain any part of it that is secret.
        package init(_ text: String, advice: String) {
            self.text = text
            self.advice = advice
        }
    }

    /// Makes a token; the text of an error that it brings is shown as it is.
    package typealias Maker = @Sendable () async -> Result<Token, SinkError>

    /// Makes the token of each login.
    package let make: Maker
    /// How long after a login the next one is made over the same connection: at some moment of this span.
    ///
    /// ElastiCache and MemoryDB end a connection 12 hours after its last login (User Guide, "Authenticating with
    /// IAM"). The span keeps daemons that were started together from logging in together.
    package var renewal = Duration.seconds(10 * 3_600) ... .seconds(11 * 3_600)

    /// A login with the tokens that `make` makes.
    package init(_ make: @escaping Maker) {
        self.make = make
    }
}

extension TokenLogin.Token: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// A word in place of the secret.
    package var description: String { "a token" }

    package var debugDescription: String { description }

    /// No children: a dump shows no secret either.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A token on its way from Swift's tasks to the connection's thread, which looks for it now and then or waits for it.
///
/// It has a deadline: a token that is not there by then has failed. Whoever lets go of it cancels its making.
final class TokenRequest: Sendable {
    /// What came of it.
    typealias Outcome = Result<TokenLogin.Token, SinkError>

    /// Where the token is put down; apart from the request, so that the making does not hold on to that.
    private final class Tray: Sendable {
        let outcome = Mutex<Outcome?>(nil)
        let arrival = DispatchSemaphore(value: 0)

        func put(_ outcome: Outcome) {
            self.outcome.withLock { $0 = outcome }
            arrival.signal()
        }
    }

    private let tray: Tray
    private let making: Task<Void, Never>
    private let deadline: ContinuousClock.Instant

    /// Begins to make a token, and wakes `waker` when it is there.
    init(
        _ login: TokenLogin, until deadline: ContinuousClock.Instant, waking waker: Waker? = nil
    ) {
        let tray = Tray()
        self.tray = tray
        self.deadline = deadline
        // A task without a parent: the connection's thread is no task.
        making = Task { [make = login.make] in
            tray.put(await make())
            waker?.wake()
        }
    }

    deinit { making.cancel() }

    /// What came of it, or nil while it is under way.
    var outcome: Outcome? {
        if let outcome = tray.outcome.withLock(\.self) { return outcome }
        guard deadline <= .now else { return nil }
        return .failure(
            SinkError(
                .unavailable, "no token for the login was made within the time for connecting"))
    }

    /// Waits for the token, until the deadline at the most; blocks the calling thread.
    func wait() -> Outcome {
        while true {
            if let outcome { return outcome }
            let left = max(.zero, deadline - .now).components
            let nanoseconds = left.seconds * 1_000_000_000 + left.attoseconds / 1_000_000_000
            _ = tray.arrival.wait(timeout: .now() + .nanoseconds(Int(nanoseconds)))
        }
    }
}
