import Foundation
import LocalStreams
import TestBed
import Testing
import Walk

// Where a stream is begun, and what becomes of it when it is switched off and on.
@Suite struct StartTests {
    private static let oneShard = LocalStreams.Configuration(
        partitions: 1, credentials: Stage.keys)

    @Test func `LATEST leaves out what was there and takes what comes`() async throws {
        try await withStage(Self.oneShard) { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure(streams: #"[{"table":"items","start":"LATEST"}]"#)
            let daemon = try stage.start("run")
            try await waitUntilReading(stage, table)
            try await table.put(10..<20)
            try await stage.waitForCache(count: 11)
            try await daemon.stop()
            let keys = try await stage.cache.content().keys.map {
                String(decoding: $0, as: UTF8.self)
            }
            #expect(Set(keys) == Set((10..<20).map { "item-\($0)" } + ["item-probe"]))
        }
    }

    @Test func `LATEST loses nothing of what comes between a kill and a restart`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try stage.configure(streams: #"[{"table":"items","start":"LATEST"}]"#)
            let daemon = try stage.start("run")
            try await waitForBeginning(daemon, stage)
            try await daemon.stop(SIGKILL, exitCode: 128 + SIGKILL)
            // Nothing was read before the kill: only the time of the beginning is remembered.
            try await table.put(0..<10)
            let next = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await next.stop()
        }
    }

    @Test func `a stream that was switched off and on is read to its end, then the new one`()
        async throws
    {
        try await withStage(Self.oneShard) { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure(streams: #"[{"table":"items","start":"LATEST"}]"#)
            let daemon = try stage.start("run")
            try await waitUntilReading(stage, table)
            try await table.put(10..<20)
            try await stage.waitForCache(count: 11)
            try await daemon.stop(SIGKILL, exitCode: 128 + SIGKILL)
            // While nobody looks: the old stream gets more records, and is replaced.
            try await table.put(20..<30)
            try await table.switchStream(on: false)
            try await table.switchStream(on: true)
            try await table.put(30..<40)
            let next = try stage.start("run")
            // What came in the minutes before the start may be read as well after a kill.
            let old = Set((0..<10).map { Data("item-\($0)".utf8) })
            let wanted = try await table.items().filter { !old.contains($0.key) }
            try await wait {
                try await stage.cache.items().filter { !old.contains($0.key) } == wanted
            }
            try await next.stop()
            let gaps = try #require(try stage.checkpoint()).streams.values.flatMap(\.gaps)
            #expect(
                gaps.map(\.reason).contains { $0.contains("switched off and on") })
        }
    }

    @Test func `a table and its own stream are one table, and are refused together`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            let name = "arn:aws:dynamodb:us-east-1:000000000000:table/items/stream/2026"
            try stage.configure(streams: #"[{"table":"items"},{"arn":"\#(name)"}]"#)
            let run = try await stage.run("run")
            #expect(run.code == 78)
            #expect(run.log.contains("streams[1] names table items a second time"))
        }
    }

    @Test func `a stream given by its name is followed until it is gone`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            let name = try await table.streamName()
            try stage.configure(streams: #"[{"arn":"\#(name)"}]"#)
            try await table.put(0..<10)
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await table.switchStream(on: false)
            // Read to its end, there is nothing left to do.
            #expect(try await daemon.exitCode() == 0)
            #expect(try await stage.run("replay", "--from", "checkpoint").code == 0)
        }
    }

    /// Waits until what is written from now on is read.
    private func waitUntilReading(_ stage: Stage, _ table: TestTable) async throws {
        var probes = 0
        try await wait {
            probes += 1
            // The same item again would be no change, and no record.
            try await table.put("item-probe", #""v":{"N":"\#(probes)"}"#)
            return try await stage.cache.count() > 0
        }
    }

    /// Waits until it is on disk that and where the stream was begun.
    private func waitForBeginning(_ daemon: ShardwalkProcess, _ stage: Stage) async throws {
        try await daemon.waitForLog("stream opened")
        try await wait { try stage.checkpoint()?.streams.isEmpty == false }
    }
}

extension ShardwalkProcess {
    /// Sends a signal and expects how the process ends.
    func stop(
        _ number: Int32 = SIGTERM, exitCode: Int32 = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        signal(number)
        let code = try await self.exitCode()
        #expect(
            code == exitCode, "the log: \(log.suffix(4_000))", sourceLocation: sourceLocation)
    }
}
