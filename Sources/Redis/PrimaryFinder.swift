import Walk

/// Says where to connect to: to what the address names, or to the primary that its sentinels name at the moment.
///
/// It is asked anew for each connection, and remembers which sentinel to ask first. It is used by one thread at a time.
final class PrimaryFinder {
    private let configuration: RedisConfiguration
    private var sentinels: [RedisAddress.Node] = []

    /// The most time that one sentinel has to answer, as a part of all there is: another one may be quicker.
    private static let sentinelShare = 0.2

    /// A finder that begins with the order of the address.
    init(_ configuration: RedisConfiguration) {
        self.configuration = configuration
        if case .sentinels(let nodes, _) = configuration.address.place { sentinels = nodes }
    }

    /// The place to connect to.
    ///
    /// - Throws: `denied` where all sentinels want another login, else `unavailable`, with what each of them says.
    func place(until deadline: ContinuousClock.Instant) throws(SinkError) -> RedisAddress.Place {
        guard case .sentinels(_, let master) = configuration.address.place else {
            return configuration.address.place
        }
        var strangers: [String] = []
        var failures: [SinkError] = []
        for (index, sentinel) in sentinels.enumerated() {
            guard .now < deadline else {
                failures.append(
                    SinkError(.unavailable, "\(sentinel): there was no time left to ask it"))
                continue
            }
            // A share of the time is left for the primary.
            let share = (deadline - .now) / (sentinels.count - index + 1)
            let limit =
                ContinuousClock.now
                + min(share, configuration.connectTimeout * Self.sentinelShare)
            do throws(SinkError) {
                let session = try Session(at: sentinel, configuration, until: limit)
                if let place = try session.primary(named: master, until: limit) {
                    sentinels.remove(at: index)
                    sentinels.insert(sentinel, at: 0)
                    return place
                }
                strangers.append("\(sentinel)")
            } catch {
                failures.append(SinkError(error.kind, "\(sentinel): \(error.message)"))
            }
        }
        let reasons = failures.map(\.message).joined(separator: "; ")
        guard strangers.isEmpty else {
            let others = reasons.isEmpty ? "" : " (and no answer from \(reasons))"
            throw SinkError(
                .unavailable,
                """
                no primary named \(master) is known to \(strangers.joined(separator: ", "))\(others): \
                give the name after `sentinel monitor` in their configuration
                """)
        }
        let isDenied = failures.allSatisfy { $0.kind == .denied }
        throw SinkError(isDenied ? .denied : .unavailable, "no sentinel answers: \(reasons)")
    }

    /// Asks the sentinel last that was believed last: what it said led nowhere, and others may know better.
    func doubt() {
        guard sentinels.count > 1 else { return }
        sentinels.append(sentinels.removeFirst())
    }
}
