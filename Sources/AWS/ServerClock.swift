package import FoundationEssentials
package import Logging
import Synchronization

/// The present time of AWS, as far as this host's clock and AWS's own answers tell it.
///
/// AWS refuses signatures that are more than five minutes off. The `Date` of an answer has whole seconds and is as
/// old as the answer took to arrive, which the HTTP client bounds at half a minute; so a difference of up to a
/// minute says nothing and is left alone, and a greater one is followed at once, in either direction: every
/// answer replaces what the one before said.
package final class ServerClock: Sendable {
    /// Smaller differences are not told apart from answers that took their time, in seconds.
    private static let tolerance: TimeInterval = 60

    private let wall: @Sendable () -> Date
    private let logger: Logger
    private let offset = Mutex<TimeInterval?>(nil)

    /// A clock that agrees with `wall`, this host's clock, until an answer says otherwise.
    package init(logger: Logger, wall: @escaping @Sendable () -> Date = { Date() }) {
        self.wall = wall
        self.logger = logger
    }

    /// The time to sign with, and to compare the end of credentials with.
    package func now() -> Date { wall() + (correction ?? 0) }

    /// How far AWS's time is ahead of this host's clock, in seconds; nil as long as no answer has told.
    package var correction: TimeInterval? { offset.withLock { $0 } }

    /// Learns from an answer that has just arrived.
    ///
    /// Only an answer with a request id is AWS's own: a proxy's error page, however wrong its clock, must not
    /// spoil the signatures.
    package func observe(_ response: HTTPResponse) {
        guard response.headers["x-amzn-requestid"] != nil, let date = response.date else { return }
        let difference = date.timeIntervalSince(wall())
        let new = abs(difference) > Self.tolerance ? difference : 0
        let old = offset.withLock { offset in
            let old = offset ?? 0
            offset = new
            return old
        }
        guard abs(new - old) > Self.tolerance else { return }
        guard new != 0 else {
            logger.info("this host's clock agrees with AWS's again")
            return
        }
        logger.warning(
            "this host's clock is wrong: requests are signed with AWS's time; set the clock",
            metadata: ["seconds_ahead_of_aws": "\(Int(-new))"])
    }
}

extension HTTPResponse {
    /// When the answer was made by its sender's clock, in whole seconds; nil without a `Date` of the usual
    /// form, `Sun, 06 Nov 1994 08:49:37 GMT`.
    package var date: Date? {
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let parts = headers["date"]?.split(separator: " ") ?? []
        guard parts.count == 6, parts[5] == "GMT",
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        let number = month + 1
        let text = "\(parts[3])-\(number < 10 ? "0" : "")\(number)-\(parts[1])T\(parts[4])Z"
        return try? Date(text, strategy: .iso8601)
    }
}
