import Foundation
import LocalStreams
import TestBed
import Testing

// Goal: who moves off the function changes nothing in the readers. Method: the function's own thirty lines of
// JavaScript read the same stream, and what they would have left is compared with the cache byte by byte.
@Suite struct LambdaTests {
    @Test func `the cache holds what the function would have left, byte for byte`() async throws {
        let configuration = LocalStreams.Configuration(
            partitions: 2, rolloverEvery: .seconds(1), seed: 5, checksSignatures: false)
        try await withStage(configuration) { stage, streams in
            let table = try await Workload.write(to: streams.endpoint, seed: 5, seconds: 3)
            try stage.configure(streams: #"[{"table":"items","key":"{id}"}]"#)
            let replay = try await stage.run("replay")
            #expect(replay.code == 0, "\(replay.log.suffix(2_000))")
            let expected = try await Workload.lambda(at: streams.endpoint)
            #expect(try await stage.cache.content() == expected)
            #expect(try await stage.cache.items() == table)
        }
    }

    @Test func `a stop leaves exactly what the checkpoint says is applied`() async throws {
        let configuration = LocalStreams.Configuration(
            partitions: 3, rolloverEvery: .seconds(1), seed: 6, checksSignatures: false)
        try await withStage(configuration) { stage, streams in
            async let table = Workload.write(to: streams.endpoint, seed: 6, seconds: 4)
            try stage.configure()
            try await wait { !streams.openShards(of: "items").isEmpty }
            // The stops come while records flow: each after some more keys were written.
            for (round, signal) in [SIGTERM, SIGINT, SIGTERM].enumerated() {
                let daemon = try stage.start("run")
                try await daemon.waitForLog("shard opened")
                try await wait { (try? await stage.cache.count()) ?? 0 > 15 * (round + 1) }
                try await daemon.stop(signal)
                let expected = try await Workload.lambda(
                    at: streams.endpoint, positions: stage.positions())
                #expect(try await stage.cache.content() == expected)
            }
            _ = try await table
        }
    }
}
