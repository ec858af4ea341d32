import LocalStreams
import TestBed
import Testing

// Goal: a host's clock may be set while the daemon runs. Method: the daemon runs on a clock of its own; the calls that it
// makes are counted, since one that sleeps until the old time comes again would make none.
@Suite struct ClockTests {
    @Test(arguments: [-200_000, -4_000, 4_000, 200_000])
    func `a clock that is set stops nothing`(seconds: Int) async throws {
        let quiet = LocalStreams.Configuration(partitions: 1, credentials: Stage.keys)
        try await withStage(quiet) { stage, streams in
            try await stage.table().create()
            let target = try #require(
                streams.endpoint.split(separator: ":").last.flatMap { Int($0) })
            let proxy = try Proxy(to: target)
            defer { proxy.end() }
            try stage.configure([
                "aws": """
                {"region": "us-east-1", "endpoint": "http://127.0.0.1:\(proxy.port)", "proxy": ""}
                """
            ])
            let clock = try ChaosClock(stage.folder.path("clock"))
            let daemon = try stage.start("run", environment: clock.environment)
            for time in [0, seconds, 0] {
                try clock.set(time)
                let calls = proxy.count + 10
                try await wait { proxy.count >= calls }
            }
            try await daemon.waitForLog("this host's clock is wrong")
            try await daemon.stop()
        }
    }
}
