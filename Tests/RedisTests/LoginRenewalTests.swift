import Testing
import Walk

@testable import Redis

struct LoginRenewalTests {
    private let span = Duration.seconds(10 * 3_600) ... .seconds(11 * 3_600)

    @Test
    func `a login is renewed well before the service's twelve hours, each time at another moment`()
    {
        let now = ContinuousClock.now
        var pauses: [Duration] = []
        for seed in 0..<200 {
            var renewal = LoginRenewal(
                in: span, generator: SeededGenerator(seed: UInt64(seed)), now: now)
            pauses.append(renewal.due - now)
            renewal.succeed(now: now + .seconds(100))
            pauses.append(renewal.due - now - .seconds(100))
        }
        #expect(pauses.allSatisfy { span.contains($0) })
        #expect(Set(pauses).count == pauses.count)
        // Spread over the span, not heaped at one end of it.
        let early = pauses.count { $0 < .seconds(10.5 * 3_600) }
        #expect((150...250).contains(early))
        let connections = TokenLogin { .failure(SinkError(.unavailable, "")) }
        #expect(connections.renewal == span)
    }

    @Test func `a schedule follows from its seed`() {
        let now = ContinuousClock.now
        func moments() -> [ContinuousClock.Instant] {
            var renewal = LoginRenewal(in: span, generator: SeededGenerator(seed: 7), now: now)
            return (0..<20).map { step in
                if step.isMultiple(of: 5) {
                    renewal.succeed(now: now)
                } else {
                    _ = renewal.fail(now: now)
                }
                return renewal.due
            }
        }
        #expect(moments() == moments())
    }

    @Test func `a failed login is tried again soon, after pauses that grow to a minute`() {
        for seed in 0..<50 {
            let now = ContinuousClock.now
            var renewal = LoginRenewal(
                in: span, generator: SeededGenerator(seed: UInt64(seed)), now: now)
            for limit in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
                _ = renewal.fail(now: now)
                #expect((.milliseconds(100) ... .seconds(limit)).contains(renewal.due - now))
            }
            #expect(renewal.failures == 9)
            renewal.succeed(now: now)
            #expect(renewal.failures == 0 && span.contains(renewal.due - now))
            _ = renewal.fail(now: now)
            #expect(renewal.due - now <= .seconds(1))
        }
    }

    @Test func `failures are told at 1, 2, 4, 8, and anew after a success`() {
        var renewal = LoginRenewal(in: span, generator: SeededGenerator(seed: 1))
        func told() -> [Int] { (1...20).filter { _ in renewal.fail() } }
        #expect(told() == [1, 2, 4, 8, 16])
        renewal.succeed()
        #expect(told() == [1, 2, 4, 8, 16])
    }
}
