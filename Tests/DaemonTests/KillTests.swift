import Foundation
import LocalStreams
import TestBed
import Testing
import Walk

// Goal: nothing is lost and nothing stays wrong in the cache, whenever the process ends. Method: a workload writes
// while the daemon is killed and started again at moments that follow from a seed; at the end cache and table are
// compared, item by item.
@Suite(.serialized) struct KillTests {
    /// How often the daemon is killed in a test.
    private static let kills = 8
    /// How long the workload writes, about as long as the kills take.
    private static let seconds = 6

    @Test func `after any number of kills the cache equals moto's table`() async throws {
        let moto = try await PythonServer.moto()
        try await withStage(endpoint: moto.url) { stage in
            async let table = Workload.write(to: moto.url, seed: 7, seconds: Self.seconds)
            try stage.configure()
            try await waitForTable(stage)
            try await killAgainAndAgain(stage, seed: 7)
            try await finish(stage, try await table)
            #expect(try await stage.cache.content() == Workload.lambda(at: moto.url))
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `after any number of kills the cache equals the emulator's table`(
        seed: UInt64
    ) async throws {
        let configuration = LocalStreams.Configuration(
            partitions: 3, rolloverEvery: .seconds(1), seed: seed, credentials: Stage.keys)
        try await withStage(configuration) { stage, streams in
            async let table = Workload.write(
                to: streams.endpoint, seed: seed, seconds: Self.seconds)
            try stage.configure()
            try await wait { !streams.openShards(of: "items").isEmpty }
            try await killAgainAndAgain(stage, seed: seed, times: Self.kills / 2)
            #expect(streams.openShards(of: "items").contains { streams.split($0) })
            try await killAgainAndAgain(stage, seed: ~seed, times: Self.kills / 2)
            try await finish(stage, try await table)
        }
    }

    @Test(
        arguments: zip(
            [4, 5] as [UInt64], [LocalStreams.ShardFilterSupport.refused, .ignored]))
    func `kills and a service that fails, lags and throttles leave no difference`(
        seed: UInt64, filter: LocalStreams.ShardFilterSupport
    ) async throws {
        let configuration = LocalStreams.Configuration(
            partitions: 2, rolloverEvery: .seconds(1), splitShare: 0.2,
            listingDelayMax: .seconds(1), limits: .init(getRecords: 5), shardFilter: filter,
            faults: .rough, seed: seed, credentials: Stage.keys)
        try await withStage(configuration) { stage, streams in
            async let table = Workload.write(
                to: streams.endpoint, seed: seed, seconds: Self.seconds)
            try stage.configure()
            try await wait { !streams.openShards(of: "items").isEmpty }
            try await killAgainAndAgain(stage, seed: seed, times: Self.kills / 2)
            let expected = try await table
            // The workload is done, so that nothing but the daemon meets the storm.
            streams.set(.storm)
            try await killAgainAndAgain(stage, seed: ~seed, times: Self.kills / 2)
            streams.set(.rough)
            try await finish(stage, expected)
            let gaps = try #require(try stage.checkpoint()).streams.values.flatMap(\.gaps)
            #expect(gaps.isEmpty)
        }
    }

    @Test func `two streams in one process, one of them with keys of numbers and bytes`()
        async throws
    {
        let configuration = LocalStreams.Configuration(
            partitions: 2, rolloverEvery: .seconds(1), seed: 11, credentials: Stage.keys)
        try await withStage(configuration) { stage, streams in
            async let first = Workload.write(
                to: streams.endpoint, table: "items", seed: 11, seconds: Self.seconds)
            async let second = Workload.write(
                to: streams.endpoint, table: "pairs", keys: "pk:N,sk:B", seed: 12,
                seconds: Self.seconds)
            try stage.configure(
                streams:
                    #"[{"table":"items","key":"{id}"},{"table":"pairs","key":"pair:{pk}:{sk}"}]"#)
            try await wait {
                !streams.openShards(of: "items").isEmpty
                    && !streams.openShards(of: "pairs").isEmpty
            }
            try await killAgainAndAgain(stage, seed: 11)
            var expected = try await first
            for (key, item) in try await second { expected[Data("pair:".utf8) + key] = item }
            try await finish(stage, expected)
        }
    }

    /// Starts the daemon and kills it, so many times.
    ///
    /// The moment is what a seed decides; nothing is waited for.
    private func killAgainAndAgain(
        _ stage: Stage, seed: UInt64, times: Int = kills
    ) async throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<times {
            let daemon = try stage.start("run")
            try await Task.sleep(for: .milliseconds(Int.random(in: 20...1_000, using: &generator)))
            daemon.signal(SIGKILL)
            let code = try await daemon.exitCode()
            #expect(code == 128 + SIGKILL, "\(daemon.log.suffix(2_000))")
        }
    }

    /// Lets the daemon go on to the end of the stream, and stops it.
    private func finish(_ stage: Stage, _ table: [Data: Data]) async throws {
        #expect(table.count > 50, "the workload is large enough to say something")
        let daemon = try stage.start("run")
        // The cache may be complete already, and signals are not taken from the first moment on.
        try await daemon.waitForLog("shard opened")
        try await stage.waitForCache(table)
        try await daemon.stop()
    }

    private func waitForTable(_ stage: Stage) async throws {
        let table = try await stage.table()
        try await wait { (try? await table.items()) != nil }
    }
}
