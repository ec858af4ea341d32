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
                reconnection.fail(SinkError(kind, "away"), now: now)
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
        for second in 0..<20 {
            reconnection.fail(SinkError(.unavailable, "away"), now: start + .seconds(second))
            if reconnection.isWorthLogging { told.append(second) }
        }
        #expect(told == [0, 1, 3, 7, 15])
        #expect(reconnection.refusal().message.hasPrefix("away (reconnecting in "))
        #expect(reconnection.succeed(now: start + .seconds(30)) == .seconds(30))
        #expect(reconnection.failures == 0)
        #expect(Duration.milliseconds(1_045).formatted == "1.045 s")
    }
}
