import Simulation
import Synchronization
import Testing
import Walk

/// Pauses, calls per second and bytes: the bounds that all shards share.
@Suite struct BudgetTests {
    // MARK: Pauses

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `a back-off grows, is capped, never nothing and begins again`(seed: UInt64) {
        let (base, maximum) = (Duration.milliseconds(100), Duration.seconds(5))
        var backoff = Backoff(
            base: base, maximum: maximum, generator: SeededGenerator(seed: seed))
        for attempt in 0..<200 {
            let pause = backoff.next()
            #expect(pause >= base / 10)
            #expect(pause <= min(maximum, base * (1 << min(attempt, 20))))
        }
        #expect(backoff.attempts == 200)
        backoff.reset()
        #expect(backoff.next() <= base)
    }

    @Test func `pauses of one seed are the same, those of two are not`() {
        func pauses(_ seed: UInt64) -> [Duration] {
            var backoff = Backoff(
                base: .milliseconds(100), maximum: .seconds(5),
                generator: SeededGenerator(seed: seed))
            return (0..<10).map { _ in backoff.next() }
        }
        #expect(pauses(1) == pauses(1))
        #expect(pauses(1) != pauses(2))
    }

    @Test(arguments: [(1, 250), (2, 500), (3, 1_000), (4, 1_000), (1_000_000, 1_000)])
    func `an idle shard rests twice as long each time, up to the most`(
        pages: Int, milliseconds: Int
    ) {
        let idle = IdlePause(
            minimum: .milliseconds(250), maximum: .seconds(1), pollsPerSecond: 2_000)
        #expect(idle.pause(afterEmptyPages: pages, among: 2_000) == .milliseconds(milliseconds))
    }

    @Test(arguments: [(1, 250), (2, 500), (5, 4_000), (6, 5_000), (1_000_000, 5_000)])
    func `of too many shards those rest longer that stay idle`(pages: Int, milliseconds: Int) {
        let idle = IdlePause(
            minimum: .milliseconds(250), maximum: .seconds(1), pollsPerSecond: 2_000)
        #expect(idle.pause(afterEmptyPages: pages, among: 10_000) == .milliseconds(milliseconds))
    }

    // MARK: Calls

    @Test func `calls are spread evenly, in the order of asking, and never saved up`() {
        let clock = SimulatedClock()
        let executor = SeededExecutor(seed: 1)
        let budget = CallBudget(callsPerSecond: 5, clock: clock)
        let made = Collected<Duration>()
        func ask(_ count: Int) {
            for _ in 0..<count {
                Task(executorPreference: executor) {
                    await budget.take()
                    made.add(clock.uptime)
                }
            }
        }
        func run() {
            executor.runAll()
            while let due = clock.nextDue {
                clock.advance(to: due)
                executor.runAll()
            }
        }
        ask(4)
        run()
        #expect(made.values == [0, 200, 400, 600].map { .milliseconds($0) })
        clock.advance(to: .seconds(60))
        ask(3)
        run()
        #expect(
            made.values.suffix(3)
                == [60_000, 60_200, 60_400].map {
                    .milliseconds($0)
                })
    }

    @Test func `who is cancelled does not wait for a call`() {
        let clock = SimulatedClock()
        let executor = SeededExecutor(seed: 1)
        let budget = CallBudget(callsPerSecond: 1, clock: clock)
        let returned = Collected<Int>()
        let tasks = (0..<3).map { place in
            Task(executorPreference: executor) {
                await budget.take()
                returned.add(place)
            }
        }
        executor.runAll()
        #expect(returned.values.count == 1)
        for task in tasks { task.cancel() }
        executor.runAll()
        #expect(returned.values.count == 3)
    }

    // MARK: Bytes

    /// Tasks that ask a budget for bytes, one after the other, and hold what they get until they are told.
    final class Askers: Sendable {
        let budget: ByteBudget
        let executor = SeededExecutor(seed: 1)
        private let held = Mutex<[Int: ByteBudget.Reservation]>([:])
        private let refused = Mutex<Set<Int>>([])
        private let tasks = Mutex<[Int: Task<Void, Never>]>([:])

        init(limit: Int) { budget = ByteBudget(limit: limit) }

        var holding: [Int] { held.withLock { $0.keys.sorted() } }
        var refusals: Set<Int> { refused.withLock { $0 } }

        func ask(_ name: Int, for bytes: Int) {
            let task = Task(executorPreference: executor) {
                if let reservation = await self.budget.reserve(bytes) {
                    self.held.withLock { $0[name] = reservation }
                } else {
                    _ = self.refused.withLock { $0.insert(name) }
                }
            }
            tasks.withLock { $0[name] = task }
            executor.runAll()
        }

        func settle(_ name: Int, at bytes: Int) {
            held.withLock { $0[name] }?.settle(at: bytes)
            executor.runAll()
        }

        func release(_ name: Int) {
            _ = held.withLock { $0.removeValue(forKey: name) }
            executor.runAll()
        }

        func cancel(_ name: Int) {
            tasks.withLock { $0[name] }?.cancel()
            executor.runAll()
        }
    }

    @Test func `bytes are handed out in the order of asking, large or small`() {
        let askers = Askers(limit: 100)
        askers.ask(1, for: 60)
        askers.ask(2, for: 50)
        askers.ask(3, for: 10)
        #expect(askers.holding == [1])
        askers.release(1)
        #expect(askers.holding == [2, 3])
        #expect(askers.budget.held == 60)
        askers.release(2)
        askers.release(3)
        #expect(askers.budget.held == 0)
    }

    @Test func `a page larger than expected delays the next ones, a smaller one frees the rest`() {
        let askers = Askers(limit: 100)
        askers.ask(1, for: 10)
        askers.settle(1, at: 150)
        #expect(askers.budget.held == 150)
        askers.ask(2, for: 10)
        #expect(askers.holding == [1])
        askers.settle(1, at: 95)
        #expect(askers.holding == [1])
        askers.settle(1, at: 90)
        #expect(askers.holding == [1, 2])
        askers.release(1)
        askers.release(2)
        #expect(askers.budget.held == 0)
    }

    @Test func `more than everything waits for everything`() {
        let askers = Askers(limit: 100)
        askers.ask(1, for: 1)
        askers.ask(2, for: 1_000)
        #expect(askers.holding == [1])
        askers.release(1)
        #expect(askers.holding == [2])
        #expect(askers.budget.held == 100)
    }

    @Test func `who is cancelled gets nothing, and those behind go on`() {
        let askers = Askers(limit: 100)
        askers.ask(1, for: 90)
        askers.ask(2, for: 50)
        askers.ask(3, for: 10)
        #expect(askers.holding == [1])
        askers.cancel(2)
        #expect(askers.refusals == [2])
        #expect(askers.holding == [1, 3])
        askers.release(1)
        askers.release(3)
        #expect(askers.budget.held == 0)
    }

    @Test func `nothing is lost between many tasks on many threads`() async {
        let budget = ByteBudget(limit: 1_000)
        let helds = Collected<Int>()
        await withTaskGroup(of: Void.self) { group in
            for seed in 0..<64 as Range<UInt64> {
                group.addTask {
                    var generator = SeededGenerator(seed: seed)
                    for _ in 0..<100 {
                        let bytes = Int.random(in: 1...300, using: &generator)
                        let asking = Task { await budget.reserve(bytes) }
                        if Int.random(in: 0..<4, using: &generator) == 0 { asking.cancel() }
                        guard let reservation = await asking.value else { continue }
                        helds.add(budget.held)
                        reservation.settle(at: Int.random(in: 0...bytes, using: &generator))
                        await Task.yield()
                    }
                }
            }
        }
        #expect(budget.held == 0)
        #expect(helds.values.allSatisfy { $0 <= 1_000 })
    }
}
