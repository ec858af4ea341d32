import AWS
import Foundation
import LocalStreams
import TestBed
import Testing
import Walk

// What a stream may do to its reader: many shards, iterators that expire, records that are gone.
@Suite struct StreamTests {
    @Test func `a thousand shards are read side by side without a thread for each`()
        async throws
    {
        let configuration = LocalStreams.Configuration(
            partitions: 1_000, emptyPagesMax: 0, seed: 31, credentials: Stage.keys)
        try await withStage(configuration) { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<500)
            // Nothing is polled a second time: this is about the first page of every shard.
            try stage.configure([
                "idle": #"{"minimumMilliseconds": 60000, "maximumMilliseconds": 60000}"#,
                "log": #"{"level": "info", "format": "json"}"#,
            ])
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table.items())
            try await daemon.waitForLog("shard opened", times: 1_000)
            let status = try String(contentsOfFile: "/proc/\(daemon.id)/status", encoding: .utf8)
            let threads = try #require(status.firstMatch(of: /Threads:\s+(\d+)/)?.output.1)
            #expect(try #require(Int(threads)) < 50)
            try await daemon.stop()
            #expect(
                try #require(try stage.checkpoint()).streams.values.first?.shards.count == 1_000)
        }
    }

    @Test func `iterators that expire all the time cost nothing but time`() async throws {
        // An iterator lives for 15 minutes of the emulator's clock: a fifth of a second.
        let configuration = LocalStreams.Configuration(
            partitions: 2, rolloverEvery: .seconds(2), speed: 4_800,
            retention: .seconds(40 * 24 * 3_600), seed: 32, credentials: Stage.keys)
        try await withStage(configuration) { stage, streams in
            async let table = Workload.write(to: streams.endpoint, seed: 32, seconds: 4)
            try stage.configure([
                "idle": #"{"minimumMilliseconds": 100, "maximumMilliseconds": 400}"#
            ])
            try await wait { !streams.openShards(of: "items").isEmpty }
            let daemon = try stage.start("run")
            try await stage.waitForCache(try await table)
            #expect(daemon.log.contains("ExpiredIteratorException"))
            try await daemon.stop()
            #expect(try #require(try stage.checkpoint()).streams.values.allSatisfy(\.gaps.isEmpty))
        }
    }

    @Test func `records that were trimmed before they were read are a gap, and the rest is read`()
        async throws
    {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            #expect(try await stage.run("replay").code == 0)
            try await table.put(10..<20)
            // Nobody looks for more than a day.
            streams.advance(by: .seconds(26 * 3_600))
            try await table.put(20..<30)
            let daemon = try stage.start("run")
            try await stage.waitForCache(count: 20)
            try await daemon.waitForLog("gap: changes are lost")
            try await daemon.stop()
            let status = try await stage.run("status")
            #expect(status.output.contains("records were trimmed before they were read"))
            let keys = try await stage.cache.content().keys
            #expect(!keys.contains(Data("item-15".utf8)) && keys.contains(Data("item-25".utf8)))
        }
    }

    @Test func `a permission that is taken away for a while ends no shard`() async throws {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            let daemon = try stage.start("run")
            try await stage.waitForCache(count: 10)
            streams.set(
                try LocalStreams.Faults(
                    json: Array(
                        #"{"script":[{"fault":"accessDenied","operations":["GetRecords"]}]}"#.utf8))
            )
            try await daemon.waitForLog("stream denied; somebody has to act", times: 1)
            try await table.put(10..<20)
            streams.set(.none)
            // It is asked for again every half minute.
            try await wait(atMost: 120) { try await stage.cache.count() == 20 }
            try await daemon.stop()
        }
    }

    @Test func `keys that are rotated are found in their file`() async throws {
        try await withStage { stage, streams in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            let file = stage.folder.path("credentials")
            let fromFile = [
                "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
                "AWS_SHARED_CREDENTIALS_FILE": file,
            ]
            try write(Stage.keys, to: file)
            let daemon = try stage.start("run", environment: fromFile)
            try await stage.waitForCache(count: 10)
            let rotated = Credentials(
                accessKeyID: "ROTATED", secretAccessKey: "secret-key-mark-2", sessionToken: nil)
            try write(rotated, to: file)
            streams.replaceKeys(with: rotated)
            try await stage.table(environment: fromFile).put(10..<20)
            try await stage.waitForCache(count: 20)
            try await daemon.stop()
            #expect(daemon.log.components(separatedBy: "credentials fetched").count > 2)
        }
    }

    private func write(_ keys: Credentials, to file: String) throws {
        let token = keys.sessionToken.map { "aws_session_token = \($0)\n" } ?? ""
        let text = """
            [default]
            aws_access_key_id = \(keys.accessKeyID)
            aws_secret_access_key = \(keys.secretAccessKey)
            \(token)
            """
        try Data(text.utf8).write(to: URL(filePath: file), options: .atomic)
    }

    @Test func `a table whose stream is switched off and on is followed without a restart`()
        async throws
    {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            let daemon = try stage.start("run")
            try await stage.waitForCache(count: 10)
            try await table.switchStream(on: false)
            try await daemon.waitForLog("the stream is switched off and read to its end")
            // Written while there is no stream: no reader will ever see it.
            try await table.put(10..<11)
            try await table.switchStream(on: true)
            try await table.put(20..<30)
            try await wait(atMost: 120) { try await stage.cache.count() == 20 }
            #expect(daemon.log.contains("switched off and on"))
            try await daemon.stop()
            let gaps = try #require(try stage.checkpoint()).streams.values.flatMap(\.gaps)
            #expect(gaps.count == 1)
        }
    }
}
