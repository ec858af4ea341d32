import Walk

extension Scenario {
    /// The scenario of a seed: everything that can happen, in every order.
    init(seed: UInt64) {
        self.init()
        var course = Course(generator: SeededGenerator(seed: seed))
        self.seed = seed
        start = course.chance(0.4) ? .latest : .trimHorizon
        ending = course.chance(0.6) ? .never : course.chance(0.5) ? .drained : .caughtUp
        slots = course.number(2...12)
        skew = Double(course.number(-200...200))
        latencyMaximum = course.chance(0.5) ? 20 : 800
        listingLag = course.chance(0.4) ? 0 : 4
        shynessMaximum = course.chance(0.4) ? 0 : 4
        listingPage = course.number(1...5)
        recordsPage = course.number(1...6)
        emptyPages = course.chance(0.5) ? 0 : course.number(1...5)
        refusesFilter = course.chance(0.3)
        repeatsRecord = course.chance(0.1)
        hasLargeRecords = course.chance(0.05)
        byteLimit = [1, 64 << 10, 300 << 10, 64 << 20][course.number(0...3)]
        course.plan(ending, slots: slots)
        (storms, calm, losesRecords) = (course.storms, course.calm, course.losesRecords)
        events = course.events.enumerated().sorted { left, right in
            (left.element.time, left.offset) < (right.element.time, right.offset)
        }.map(\.element)
    }
}

/// The course of things, made up step by step.
private struct Course {
    var generator: SeededGenerator
    var events: [(time: Duration, event: Scenario.Event)] = []
    var storms: [Scenario.Storm] = []
    var calm = Duration.zero
    var losesRecords = false
    var slots = 1

    init(generator: SeededGenerator) { self.generator = generator }

    mutating func number(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &generator)
    }

    mutating func chance(_ probability: Double) -> Bool {
        Double.random(in: 0...1, using: &generator) < probability
    }

    mutating func time(_ from: Duration, _ to: Duration) -> Duration {
        from + (to - from) * Double.random(in: 0...1, using: &generator)
    }

    /// Makes everything up.
    mutating func plan(_ ending: Scenario.Ending, slots: Int) {
        self.slots = slots
        // The stream may be there before the daemon, or be switched on after it has begun.
        let first = Duration.seconds(chance(0.7) ? 60 : 0)
        events.append((chance(0.8) ? .zero : first + .seconds(5), .enable(shards: number(1...4))))
        fill(from: .zero, to: first, writes: number(0...20), turns: number(0...2))
        var now = first
        let lives = ending == .caughtUp ? 1 : number(1...4)
        if ending == .caughtUp, chance(0.5) {
            let last = now - .milliseconds(number(1...3_000))
            events.append((max(.zero, last), .rollOver(choice: -1, splitting: chance(0.5))))
        }
        for life in 1...lives {
            events.append((now, ending == .caughtUp ? .replay : .start))
            let end = now + .seconds(number(5...60))
            fill(from: now, to: end, writes: number(0...40), turns: number(0...3))
            now = max(end, addStorms(from: now, to: end))
            guard life < lives else { break }
            events.append((now, chance(0.75) ? .kill(jobs: number(0...200)) : .stop))
            // A stop takes its time, and nothing begins before it is over.
            let isLong = chance(0.06)
            losesRecords = losesRecords || isLong
            let pause = Duration.seconds(isLong ? number(80_000...180_000) : number(45...90))
            let turns = isLong ? number(4...12) : number(0...2)
            fill(from: now, to: now + pause, writes: number(0...30), turns: turns)
            now += pause
        }
        if ending == .drained {
            let last = now - .milliseconds(number(1...3_000))
            if chance(0.5) { events.append((last, .rollOver(choice: -1, splitting: chance(0.5)))) }
            fill(from: now - .seconds(3), to: now, writes: number(0...8), turns: 0)
            events.append((now, .disable))
            events.append((now + .seconds(number(0...20)), .endDisabling))
            now += .seconds(20)
        }
        calm = now
    }

    mutating func fill(
        from: Duration, to: Duration, writes: Int, turns: Int
    ) {
        for _ in 0..<writes {
            events.append((time(from, to), .write(slot: number(0...slots - 1))))
        }
        for _ in 0..<turns {
            let moment = time(from, to)
            events.append((moment, .rollOver(choice: number(0...9), splitting: chance(0.3))))
            guard chance(0.3) else { continue }
            events.append(
                (moment + .milliseconds(number(1...4_000)), .rollOver(choice: -1, splitting: false))
            )
        }
    }

    /// Adds a few storms and returns when the last of them is over.
    mutating func addStorms(from: Duration, to: Duration) -> Duration {
        let all: [SourceError.Kind] = [
            .throttled, .unavailable, .denied, .expiredIterator, .notFound, .invalid, .cancelled,
        ]
        for _ in 0..<number(0...3) {
            let begin = time(from, to)
            // Now and then one that outlives the iterators.
            let length = chance(0.03) ? number(900...1_500) : number(1...20)
            let kinds = chance(0.5) ? [.unavailable, .throttled] : all
            storms.append(
                Scenario.Storm(
                    from: begin, to: begin + .seconds(length), probability: chance(0.3) ? 1 : 0.3,
                    isOfCache: chance(0.4), kinds: kinds))
        }
        return storms.map(\.to).max() ?? to
    }
}
