package import Walk

extension Scenario {
    /// Many shards in good weather, and what is asked of a walk of them, one thing after the other.
    ///
    /// It looks after each: at the start, when every shard has been read, when they have settled, after a while without
    /// news, after a change of each shard, after changes of each beside one that is hot, and, at the end, a while after
    /// all shards have rolled over and each child has brought a change.
    package struct Crowd: Sendable {
        /// How often the hot shard is changed in a second.
        private static let hotChanges = 50

        /// The number of shards.
        package let shards: Int
        /// How long an idle crowd is looked at, and how long the others take to be changed.
        package var stretch = Duration.seconds(60)
        /// The pauses between polls that bring nothing; those of the configuration.
        package var idle = IdlePause(
            minimum: .milliseconds(250), maximum: .seconds(1), pollsPerSecond: 2_000)
        /// When the daemon begins.
        package let start = Duration.seconds(10)
        /// How long the budget of DescribeStream takes for one listing.
        package var listing: Duration {
            Simulator.describeInterval * ((shards + pageSize - 1) / pageSize)
        }
        /// The longest pause of an idle shard.
        package var pauseMaximum: Duration { idle.pause(afterEmptyPages: .max, among: shards) }
        /// When each of the moments is at which it looks; the last one is when all shards roll over.
        package var looks: [Duration] {
            let isRead = start + listing + .seconds(20)
            let isSettled = isRead + .seconds(20) + pauseMaximum * 2
            let isIdle = isSettled + stretch
            let isChanged = isIdle + stretch + pauseMaximum * 2
            return [
                start, isRead, isSettled, isIdle, isChanged, isChanged + stretch + pauseMaximum * 2,
            ]
        }

        private let pageSize = 100

        /// A crowd of so many shards.
        package init(shards: Int) { self.shards = shards }

        /// What happens.
        package var scenario: Scenario {
            var scenario = Scenario()
            let looks = looks
            scenario.slots = shards
            scenario.listingPage = pageSize
            scenario.recordsPage = 1_000
            scenario.idle = idle
            scenario.byteLimit = 32 << 20
            scenario.hasBadDisk = false
            var events: [(time: Duration, event: Event)] = [(.zero, .enable(shards: shards))]
            let all = (0..<shards).map { Event.write(slot: $0) }
            events += all.map { (.seconds(1), $0) }
            events += [(looks[0], .look), (start, .start)]
            events += looks[1...3].map { ($0, .look) }
            events += spread(all, from: looks[3])
            events.append((looks[4], .look))
            let hot = Array(
                repeating: Event.write(slot: 0),
                count: Self.hotChanges * Int(stretch.components.seconds))
            events += spread(all, from: looks[4]) + spread(hot, from: looks[4])
            events.append((looks[5], .look))
            events += all.map { _ in (looks[5], .rollOver(choice: 0, splitting: false)) }
            events += all.map { (looks[5] + .milliseconds(1), $0) }
            scenario.events = events.enumerated()
                .sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
                .map(\.element)
            // Until then nobody looks for what is missing, which takes longer than the walk itself.
            scenario.calm = looks[5] + listing * 4 + pauseMaximum * 2 + .seconds(60)
            return scenario
        }

        /// Events that happen evenly in a stretch of time.
        private func spread(
            _ events: [Event], from begin: Duration
        ) -> [(time: Duration, event: Event)] {
            events.enumerated().map { place, event in
                (begin + stretch / events.count * place, event)
            }
        }
    }
}
