import Testing
import Walk

/// Every shard is found soon, with few calls, whatever the answers are.
///
/// Method: a plan with a clock that the test moves, and the calls it makes.
@Suite struct DiscoveryPlanTests {
    /// A plan, its time, and what was asked for so far.
    struct Course {
        var plan = DiscoveryPlan(at: .zero, generator: SeededGenerator(seed: 7))
        var time = Duration.zero
        var calls: [ShardSelection] = []
        /// How long a call takes.
        var latency = Duration.milliseconds(20)

        /// Goes to the next call, and to the time of its answer.
        mutating func call() -> ShardSelection {
            for _ in 0..<1_000 {
                switch plan.next(at: time) {
                case .call(let selection):
                    calls.append(selection)
                    time += latency
                    return selection
                case .wait(let until):
                    #expect(until > time, "waiting for the past would spin")
                    time = max(time + .nanoseconds(1), until)
                }
            }
            Issue.record("no call in a thousand steps")
            return .all(after: nil)
        }

        /// Answers with shards.
        @discardableResult
        mutating func answer(
            _ selection: ShardSelection, _ shards: [ShardID] = [], more cursor: ShardID? = nil
        ) -> DiscoveryPlan.Outcome {
            plan.answered(
                selection,
                with: StreamDescription(
                    status: .enabled, shards: shards.map { Shard(id: $0) }, lastEvaluated: cursor),
                at: time)
        }

        /// Calls and answers until `end`, with nothing but empty answers.
        mutating func idle(until end: Duration) {
            while time < end { answer(call()) }
        }

        var listings: Int { calls.filter { $0 == .all(after: nil) }.count }
    }

    let a = shardID(3)
    let b = shardID(2)

    @Test func `a listing goes from page to page and is whole at the last one`() {
        var course = Course()
        #expect(course.call() == .all(after: nil))
        #expect(course.answer(.all(after: nil), [a], more: a) == .partial)
        #expect(course.call() == .all(after: a))
        #expect(course.answer(.all(after: a), [b]) == .whole([a, b], begunAt: .zero))
        #expect(course.plan.next(at: course.time) == .wait(until: course.time + DiscoveryPlan.beat))
    }

    @Test func `pages whose names are in no order are fine, a cursor that comes again is not`() {
        var course = Course()
        for (cursor, next) in [(nil, b), (b, a)] as [(ShardID?, ShardID)] {
            #expect(course.call() == .all(after: cursor))
            #expect(course.answer(.all(after: cursor), [next], more: next) == .partial)
        }
        #expect(course.call() == .all(after: a))
        #expect(course.answer(.all(after: a), [b], more: b) == .endless)
        #expect(course.call() == .all(after: nil))
        #expect(course.time >= DiscoveryPlan.beat)
    }

    @Test func `a page that fails is asked for again, the others are not`() {
        var course = Course()
        course.answer(course.call(), [a], more: a)
        for _ in 1...5 {
            #expect(course.call() == .all(after: a))
            course.plan.failed(.all(after: a), as: .unavailable, at: course.time)
        }
        #expect(course.call() == .all(after: a))
        #expect(course.answer(.all(after: a), [b]) == .whole([a, b], begunAt: .zero))
    }

    @Test func `while it is denied, a call is made every half minute`() {
        var course = Course()
        for _ in 1...10 {
            let before = course.time
            let call = course.call()
            #expect(call == .all(after: nil))
            course.plan.failed(call, as: .denied, at: course.time)
            #expect(course.time - before <= .seconds(31))
        }
        #expect(course.time >= .seconds(270))
    }

    @Test func `an outage in the middle of a listing does not put off the next one`() {
        var course = Course()
        course.answer(course.call(), [a], more: a)
        while course.time < .seconds(7_200) {
            course.plan.failed(course.call(), as: .denied, at: course.time)
        }
        course.answer(course.call(), [b])
        let end = course.time
        _ = course.call()
        #expect(course.time - end <= DiscoveryPlan.beat + .seconds(1))
    }

    // MARK: Children of an end

    @Test func `the children of an end are asked for at once, and again and again`() {
        var course = Course()
        course.answer(course.call())
        let end = course.time
        course.plan.shardEnded(a, at: end)
        var searches: [Duration] = []
        while course.time < end + .seconds(12) {
            let call = course.call()
            if call == .children(of: a) { searches.append(course.time) }
            course.answer(call)
        }
        #expect((5...10).contains(searches.count))
        #expect(searches[0] - end <= .milliseconds(20))
        #expect(searches[1] - end <= .milliseconds(120))
        // Between them the listings go on: it is these that know when nothing comes.
        #expect(!course.plan.isLookingForChildren(of: a, at: course.time))
    }

    @Test func `children that are known are not looked for`() {
        var course = Course()
        course.answer(course.call())
        course.plan.shardEnded(a, at: course.time)
        course.plan.settle(a)
        #expect(!course.plan.isLookingForChildren(of: a, at: course.time))
        #expect(course.plan.openEnds == [])
        #expect(course.call() == .all(after: nil))
        #expect(course.time >= DiscoveryPlan.beat)
    }

    @Test func `an end is given up only after two listings that began after it`() {
        var course = Course()
        course.plan.shardEnded(a, at: .zero)
        var whole = 0
        while course.plan.isLookingForChildren(of: a, at: course.time) {
            if case .whole(_, let begunAt) = course.answer(course.call()), begunAt > .zero {
                whole += 1
            }
        }
        #expect(whole >= 2)
        #expect(course.time < .seconds(30))
    }

    @Test func `where the filter is refused, a listing is made at once, and no search ever again`()
    {
        var course = Course()
        course.answer(course.call())
        course.plan.shardEnded(a, at: course.time)
        #expect(course.call() == .children(of: a))
        course.plan.failed(.children(of: a), as: .invalid, at: course.time)
        let refused = course.time
        #expect(course.call() == .all(after: nil))
        #expect(course.time - refused < .seconds(2))
        course.answer(.all(after: nil))
        course.plan.shardEnded(b, at: course.time)
        course.idle(until: .seconds(900))
        #expect(course.calls.filter { $0 != .all(after: nil) } == [.children(of: a)])
    }

    @Test(arguments: [SourceError.Kind.throttled, .unavailable, .notFound])
    func `a search that fails is tried again and backed by a listing`(kind: SourceError.Kind) {
        var course = Course()
        course.answer(course.call())
        course.plan.shardEnded(a, at: course.time)
        course.plan.failed(course.call(), as: kind, at: course.time)
        let calls = [course.call(), course.call()]
        #expect(calls.contains(.all(after: nil)))
    }

    @Test func `when many shards end at once, a listing finds their children`() {
        var course = Course()
        course.answer(course.call())
        let ends = (0..<50).map { shardID(3, $0) }
        for end in ends { course.plan.shardEnded(end, at: course.time) }
        #expect(course.call() == .all(after: nil))
        #expect(course.time < .seconds(2))
        course.answer(.all(after: nil))
        for end in ends.dropLast(3) { course.plan.settle(end) }
        let rest = (0..<3).map { _ in
            defer { course.answer(course.calls[course.calls.count - 1]) }
            return course.call()
        }
        #expect(Set(rest) == Set(ends.suffix(3).map { .children(of: $0) }))
    }

    @Test func `many ends without children neither spin nor search for ever`() {
        var course = Course()
        course.answer(course.call())
        for mark in 0..<50 { course.plan.shardEnded(shardID(3, mark), at: course.time) }
        course.idle(until: .seconds(290))
        #expect(course.calls.count < 250)
        course.plan.shardEnded(b, at: course.time)
        #expect(course.call() == .children(of: b))
    }

    @Test func `the urgency of a childless end fades after five minutes`() {
        var course = Course()
        course.plan.shardEnded(a, at: .zero)
        course.idle(until: .seconds(310))
        #expect(course.plan.openEnds == [])
        let before = course.listings
        course.idle(until: .seconds(610))
        #expect((9...11).contains(course.listings - before))
    }

    @Test func `a listing comes soon while somebody waits for it`() {
        var course = Course()
        course.answer(course.call())
        for _ in 1...5 {
            let before = course.time
            course.plan.setUrgent(true, at: before)
            #expect(course.call() == .all(after: nil))
            #expect(course.time - before <= .seconds(3))
            course.answer(.all(after: nil))
        }
        course.plan.setUrgent(false, at: course.time)
        course.answer(course.call())
        let before = course.time
        _ = course.call()
        #expect(course.time - before >= DiscoveryPlan.beat)
    }

    @Test func `listings leave three quarters of the time to others, however urgent they are`() {
        var course = Course(latency: .milliseconds(100))
        let ids = (0..<40).map { shardID(3, $0) }
        while course.time < .seconds(600) {
            let call = course.call()
            guard case .all(let cursor) = call else {
                course.answer(call)
                continue
            }
            let place = cursor.flatMap(ids.firstIndex).map { $0 + 1 } ?? 0
            course.answer(call, more: place < ids.count ? ids[place] : nil)
            course.plan.setUrgent(true, at: course.time)
            course.plan.shardEnded(b, at: course.time)
            course.plan.settle(b)
        }
        // 6,000 calls would fit.
        #expect(course.calls.count <= 1_600)
        #expect(course.listings >= 30)
    }
}
