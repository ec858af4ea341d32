import Walk

extension Scenario {
    /// The scenario of a seed: everything that can happen, in every order.
    package init(seed: UInt64) {
        self.init()
        var course = Course(generator: SeededGenerator(seed: seed))
        self.seed = seed
        start = course.chance(0.4) ? .latest : .trimHorizon
        ending = course.chance(0.6) ? .never : course.chance(0.5) ? .drained : .caughtUp
        slots = course.number(2...12)
        skew = Double(course.number(-200...200))
        latencyMaximum = course.chance(0.5) ? 20 : 800
        listingLag = course.chance(0.4) ? 0 : 4
        // A replay, which is to end, waits for late children for some ten seconds, a stream that is switched off for thirty.
        shynessMaximum = course.chance(0.4) ? 0 : course.chance(0.2) && ending != .caughtUp ? 25 : 4
        listingPage = course.number(1...5)
        repeatedCursors = course.chance(0.2) ? 0.5 : 0
        recordsPage = course.number(1...6)
        emptyPages = course.chance(0.5) ? 0 : course.number(1...5)
        refusesFilter = course.chance(0.3)
        repeatsRecord = course.chance(0.1)
        hasTimelessNames = course.chance(0.1)
        // Without both, nothing in the world could tell that a shard's start is trimmed.
        refusesStart = !hasTimelessNames && course.chance(0.1)
        hasLargeRecords = course.chance(0.05)
        byteLimit = [1, 64 << 10, 300 << 10, 64 << 20][course.number(0...3)]
        course.plan(ending, slots: slots)
        losesRecords = course.losesRecords
        makeForeign(&course)
        makeOld(&course)
        hasTimelessRecords = course.chance(0.05)
        refusesPages = ending != .caughtUp && course.chance(0.1)
        if refusesPages { course.restart() }
        makeCache(&course)
        (storms, calm) = (course.storms, course.calm)
        events = course.events.enumerated().sorted { left, right in
            (left.element.time, left.offset) < (right.element.time, right.offset)
        }.map(\.element)
    }
}

extension Scenario {
    /// Makes the service, perhaps, one that is not AWS's: with a clock of its own, or a short memory.
    private mutating func makeForeign(_ course: inout Course) {
        isServiceTime = course.chance(0.7)
        if course.chance(0.15) {
            let offsets = [-90_000_000.0, -36_000, -3_600, -600, 600, 36_000, 90_000_000]
            nameOffset = course.chance(0.8) ? offsets[course.number(0...6)] : 0
            recordOffset = course.chance(0.8) ? nameOffset : offsets[course.number(0...6)]
            // A clock that is wrong by less than a day can't be told from a right one by the shards' names.
            if abs(nameOffset) < 90_000_000, recordOffset != 0 { isServiceTime = false }
        }
        // What is not found for a while is listed all the same, and has to be tried again.
        for place in storms.indices where course.chance(0.1) && storms[place].length < .seconds(15)
        {
            storms[place].kinds = [.notFound]
            storms[place].sparesListings = true
        }
        if course.chance(0.05) {
            retention = Double(course.number(60...900))
            losesRecords = true
        }
    }
}

extension Scenario {
    /// Makes the stream, perhaps, one that is there for days before the daemon begins.
    ///
    /// Not where nothing in the world could tell how old a shard is.
    private mutating func makeOld(_ course: inout Course) {
        guard course.chance(0.1), !hasTimelessNames, nameOffset == 0,
            retention == ShardTree.retention
        else { return }
        course.precede(.seconds(course.number(80_000...180_000)))
    }
}

extension Scenario {
    /// Makes the cache hold positions, most often, and lose what it has.
    private mutating func makeCache(_ course: inout Course) {
        holdsPositions = course.chance(0.85)
        // Days of outages are no longer for it.
        if course.storms.contains(where: { $0.length > .seconds(600) }) { beat = .seconds(60) }
        onCacheLoss = course.chance(0.6) ? .rewind : course.chance(0.6) ? .resume : .stop
        if course.chance(0.1) {
            course.switchPositions(from: holdsPositions)
        } else if holdsPositions {
            course.loseInCache()
            if ending == .never, course.chance(0.15) { course.loseInCacheWhenIdle() }
            if !course.losesRecords { course.loseCheckpoints() }
        }
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
            let last = max(.zero, now - .milliseconds(number(1...4_000)))
            fill(from: last, to: now, writes: number(0...10), turns: 0)
            events.append((last, .rollOver(choice: -1, splitting: chance(0.5))))
        }
        for life in 1...lives {
            events.append((now, ending == .caughtUp ? .replay : .start))
            let end = now + .seconds(number(5...60))
            fill(from: now, to: end, writes: number(0...40), turns: number(0...3))
            if chance(0.2) {
                events.append((time(now, end), .setClock(skew: Double(number(-200...200)))))
            }
            now = max(end, addStorms(from: now, to: end))
            guard life < lives else { break }
            now = endLife(at: now)
        }
        if ending == .drained {
            let last = now - .milliseconds(number(1...3_000))
            let isQuick = chance(0.5)
            if chance(0.5) { events.append((last, .rollOver(choice: -1, splitting: chance(0.5)))) }
            fill(from: now - .seconds(3), to: now, writes: number(0...8), turns: 0)
            events.append((now, .disable))
            events.append(
                (now + .milliseconds(number(0...(isQuick ? 1_000 : 20_000))), .endDisabling))
            now += .seconds(20)
        }
        calm = now
    }

    /// Puts a time before everything but the stream's beginning, in which the stream grows.
    mutating func precede(_ length: Duration) {
        events = events.map { time, event in
            if time == .zero, case .enable = event { (time, event) } else { (time + length, event) }
        }
        for place in storms.indices {
            storms[place].from += length
            storms[place].to += length
        }
        calm += length
        fill(from: .zero, to: length, writes: number(0...30), turns: number(0...25))
    }

    /// Starts the daemon once more when all is over, as somebody does who has mended what it could not.
    mutating func restart() {
        events.append((calm, .kill(jobs: number(0...200))))
        calm += .seconds(1)
        events.append((calm, .start))
    }

    /// Ends a process, in one way or another, and returns when the next one begins.
    mutating func endLife(at now: Duration) -> Duration {
        let isStop = chance(0.25)
        let jobs = number(0...200)
        events.append(
            (now, isStop ? .stop : chance(0.3) ? .losePower(jobs: jobs) : .kill(jobs: jobs)))
        let isLong = chance(0.2)
        losesRecords = losesRecords || isLong
        // A stop takes its time, and nothing begins before it is over. What was killed comes back at once.
        let pause: Duration =
            isLong
            ? .seconds(number(80_000...180_000))
            : isStop || chance(0.4)
                ? .seconds(number(45...90)) : .milliseconds(number(500...5_000))
        fill(
            from: now, to: now + pause, writes: number(0...30),
            turns: isLong ? number(4...25) : number(0...2))
        return now + pause
    }

    /// Breaks connections and loses what the cache has, a few times, often at once after something else.
    mutating func loseInCache() {
        let starts = events.filter { $0.event.isStart }.map(\.time)
        let end = events.last { if case .disable = $0.event { true } else { false } }?.time ?? calm
        guard let start = starts.min(), start < end else { return }
        var anchors =
            starts
            + events.filter { if case .rollOver = $0.event { $0.time >= start } else { false } }
            .map(\.time)
        for _ in 0..<(chance(0.4) ? 0 : number(1...5)) {
            let anchor = anchors[number(0...anchors.count - 1)]
            let near = anchor + .milliseconds(number(0...(chance(0.5) ? 400 : 6_000)))
            let moment = min(chance(0.6) ? near : time(start, end), end)
            events.append((moment, loss()))
            anchors += [moment, moment]
            calm = max(calm, moment)
        }
    }

    /// Loses something once more when nothing else has happened for a while, so that no write tells of it.
    mutating func loseInCacheWhenIdle() {
        calm += .seconds(number(5...30))
        events.append((calm, loss()))
    }

    /// Something that befalls a cache.
    mutating func loss() -> Scenario.Event {
        switch number(1...20) {
        case 1...10:
            let seconds = [0.5, 3, 20, 80, 100_000][number(0...4)]
            return .failOver(losing: seconds * Double(number(1...100)) / 100)
        case 11...14: return .disconnect
        case 15...16: return .empty(byCommand: false)
        case 17: return .empty(byCommand: true)
        case 18: return .evict
        case 19: return .removePositions(nil)
        default: return .removePositions(number(1...3))
        }
    }

    /// Lets processes begin without the checkpoint, or with an old one.
    ///
    /// Not where somebody removes positions as well: nobody would know then that a shard was read, and what came after it.
    mutating func loseCheckpoints() {
        let isRemoved = events.contains {
            if case .removePositions = $0.event { true } else { false }
        }
        guard !isRemoved else { return }
        for start in events.filter({ $0.event.isStart }).dropFirst() where chance(0.25) {
            events.append(
                (
                    start.time - .milliseconds(1),
                    chance(0.5) ? .loseCheckpoint : .restoreCheckpoint(saves: number(1...40))
                ))
        }
    }

    /// Switches positions off and on again, whenever a process begins.
    mutating func switchPositions(from first: Bool) {
        var isOn = first
        for start in events.filter({ $0.event.isStart }).dropFirst() where chance(0.7) {
            isOn.toggle()
            events.append((start.time - .milliseconds(1), .switchPositions(isOn)))
        }
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
            let isOfCache = chance(0.4)
            // Now and then one that outlives the iterators, or even the records.
            var length = number(1...20)
            if chance(0.03) { length = number(900...1_500) }
            var kinds: [SourceError.Kind] = chance(0.5) ? [.unavailable, .throttled] : all
            if chance(0.01) {
                kinds = [.denied]
                length = number(87_000...120_000)
                losesRecords = true
                fill(
                    from: begin, to: begin + .seconds(length), writes: number(0...30),
                    turns: number(0...6))
            }
            storms.append(
                Scenario.Storm(
                    from: begin, to: begin + .seconds(length),
                    probability: length > 80_000 || chance(0.3) ? 1 : 0.3,
                    isOfCache: isOfCache, kinds: kinds))
        }
        return storms.map(\.to).max() ?? to
    }
}

extension Scenario.Event {
    /// Whether a process begins.
    fileprivate var isStart: Bool {
        switch self {
        case .start, .replay: true
        default: false
        }
    }
}
