import Testing
import Walk

@testable import Redis

struct ReconnectionTests {
    @Test(arguments: [
        (SinkError.Kind.unavailable, [100, 200, 400, 800, 1_600, 2_000, 2_000]),
        (.denied, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]),
    ])
    func `the pause grows up to a limit, a longer one where somebody has to act`(
        kind: SinkError.Kind, limits: [Int]
    ) {
        for seed in 0..<50 {
            var reconnection = Reconnection(generator: SeededGenerator(seed: UInt64(seed)))
            let now = ContinuousClock.now
            for limit in limits {
                _ = reconnection.fail(SinkError(kind, "away"), now: now)
                let pause = reconnection.earliest - now
                #expect(pause > .zero && pause <= .milliseconds(limit))
            }
        }
    }

    @Test func `failures are told at 1, 2, 4, 8, and success tells how long they went on`() {
        var reconnection = Reconnection(generator: SeededGenerator(seed: 1))
        let start = ContinuousClock.now
        #expect(reconnection.succeed(now: start) == nil)
        var told: [Int] = []
        for second in 20..<40 {
            let away = SinkError(.unavailable, "away")
            if reconnection.fail(away, now: start + .seconds(second)) { told.append(second - 20) }
        }
        #expect(told == [0, 1, 3, 7, 15])
        #expect(reconnection.refusal().message.hasPrefix("away (reconnecting in "))
        #expect(reconnection.succeed(now: start + .seconds(50)) == .seconds(30))
        #expect(reconnection.succeed(now: start + .seconds(51)) == nil)
        #expect(Duration.milliseconds(1_045).formatted == "1.045 s")
    }

    @Test func `a connection that works for moments only is one long failure`() {
        var reconnection = Reconnection(generator: SeededGenerator(seed: 2))
        var now = ContinuousClock.now
        var lines = 0
        for _ in 0..<100 {
            if reconnection.fail(SinkError(.unavailable, "moved"), now: now) { lines += 1 }
            now += .seconds(1)
            if reconnection.succeed(now: now) != nil { lines += 1 }
            now += .seconds(5)
        }
        #expect(lines == 14)
        #expect(reconnection.failures == 100)
        now += .seconds(5)
        let isTold = reconnection.fail(SinkError(.unavailable, "away"), now: now)
        #expect(isTold)
        #expect(reconnection.failures == 1)
        #expect(reconnection.earliest - now <= .milliseconds(100))
    }
}
