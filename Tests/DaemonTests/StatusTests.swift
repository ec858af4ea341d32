import Foundation
import LocalRedis
import LocalStreams
import Records
import Redis
import TestBed
import Testing
import Walk

@testable import shardwalk

// `shardwalk status`: what the checkpoint says, for people and for programs.
@Suite struct StatusTests {
    private static let time = 1_767_323_045.0

    /// A checkpoint with everything in it that can be shown.
    private static func checkpoint() throws -> Checkpoint {
        func id(_ number: Int) -> ShardID {
            ShardID("shardId-0000000141456204550\(number)-0000000\(number)")
        }
        let number = try #require(SequenceNumber("300000000000000499659"))
        var orders = Checkpoint.Stream(beginning: .init(time: time - 90_000))
        orders.shards[id(1)] = Checkpoint.Shard(
            position: .end, recordTime: time - 20_000, finishedAt: time - 10_000)
        orders.shards[id(2)] = Checkpoint.Shard(
            position: .after(number), parent: id(1), recordTime: time - 3)
        orders.shards[id(3)] = Checkpoint.Shard(
            position: .after(number), recordTime: time - 7_300,
            blocked: "the cache refuses the page: Redis refused SET (ERR string is too long)")
        orders.shards[id(4)] = Checkpoint.Shard(position: .start(number), parent: id(3))
        orders.shards[id(5)] = Checkpoint.Shard(position: .trimHorizon)
        orders.gaps = [
            Checkpoint.Gap(
                shard: id(2), reason: "records were trimmed before they were read",
                noticedAt: time - 200_000),
            Checkpoint.Gap(
                shard: nil, reason: "the table's stream was switched off and on",
                noticedAt: time - 130),
        ]
        var users = Checkpoint.Stream(beginning: .init(time: time - 10))
        users.shards[id(6)] = Checkpoint.Shard(position: .since(time - 310))
        var old = Checkpoint.Stream(beginning: .init(time: time - 90_000), isDrained: true)
        old.shards[id(7)] = Checkpoint.Shard(position: .end, finishedAt: time - 80_000)
        let names = [
            "orders/stream/2026-01-01", "users/stream/2026-01-02", "users/stream/2025-12-31",
        ]
        let arns = try names.map {
            try #require(
                StreamARN("arn:aws:dynamodb:us-east-1:123456789012:table/\($0)T00:00:00.000"))
        }
        return Checkpoint(
            name: "golden", savedAt: time - 1,
            streams: [arns[0]: orders, arns[1]: users, arns[2]: old])
    }

    private static func report(
        held: HeldPositions? = nil
    ) throws -> StatusReport {
        StatusReport(name: "golden", checkpoint: try checkpoint(), held: held, time: time)
    }

    @Test func `the table shows what is worth a look`() throws {
        let text = try Self.report().table(all: false)
        try Golden.expect(text, "status.txt")
    }

    @Test func `the whole table shows finished shards too`() throws {
        let text = try Self.report().table(all: true)
        try Golden.expect(text, "status-all.txt")
    }

    /// What Redis may hold beside that checkpoint.
    private static func held() throws -> HeldPositions {
        let streams = try checkpoint().streams
        let orders = try #require(streams.keys.first { $0.table == "orders" })
        let users = try #require(streams.keys.first { $0.label.hasPrefix("2026-01-02") })
        let shards = try #require(streams[orders]).shards.keys.sorted()
        let later = try #require(SequenceNumber("300000000000000500000"))
        let earlier = try #require(SequenceNumber("300000000000000499000"))
        let other = ShardID("shardId-00000001414562045509-00000009")
        return HeldPositions(streams: [
            orders: .success(
                PositionHash.Content(
                    beginning: .init(time: time - 90_000),
                    positions: [
                        shards[1]: .after(later), shards[2]: .after(earlier), other: .after(later),
                    ],
                    beat: time - 1)),
            users: .success(PositionHash.Content()),
        ])
    }

    @Test func `the positions in Redis stand beside those of the file`() throws {
        let report = try Self.report(held: try Self.held())
        try Golden.expect(report.table(all: false), "status-redis.txt")
        let json = try JSONSerialization.jsonObject(with: Data(report.json().utf8))
        let streams = try #require((json as? [String: Any])?["streams"] as? [String: [String: Any]])
        let orders = try #require(streams.first { $0.key.contains("table/orders") }).value
        #expect((orders["redis"] as? [String: Any])?["whole"] as? Bool == true)
        let shards = try #require(orders["shards"] as? [String: [String: Any]])
        let relations = shards.mapValues { ($0["redis"] as? [String: Any])?["relation"] as? String }
        #expect(
            relations.sorted { $0.key < $1.key }.map(\.value)
                == ["over", "ahead", "behind", "same", "same", "unknown"])
    }

    @Test func `what can't be read in Redis is told beside the file`() async throws {
        let orders = try #require(try Self.checkpoint().streams.keys.first { $0.table == "orders" })
        var held = HeldPositions(failure: SinkError(.unavailable, "nobody answers"))
        var text = try Self.report(held: held).table(all: false)
        #expect(text.contains("\nRedis can't be asked: nobody answers\n"))
        #expect(text.contains("after 300000000000000499659"))
        held = HeldPositions(streams: [orders: .failure(SinkError(.denied, "a strange hash"))])
        text = try Self.report(held: held).table(all: false)
        #expect(text.contains("  Redis: a strange hash\n") && text.contains("table users"))

        // The program shows the file, and says by its exit code that something is wrong.
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try await table.put(0..<10)
            try stage.configure()
            #expect(try await stage.run("replay").code == 0)
            await stage.redis.kill()
            let status = try await stage.run("status", "--redis")
            #expect(status.code == 69)
            #expect(status.output.contains("Redis can't be asked: "))
            #expect(status.output.contains("table items"))
        }
    }

    @Test func `what is written again is told as refilling`() throws {
        var checkpoint = try Self.checkpoint()
        let orders = try #require(checkpoint.streams.keys.first { $0.table == "orders" })
        checkpoint.streams[orders]?.lost = [ShardID("shardId-1"): .end, ShardID("shardId-2"): .end]
        let report = StatusReport(
            name: "golden", checkpoint: checkpoint, held: nil, time: Self.time)
        #expect(
            report.table(all: false).contains(
                "  refilling: Redis had lost changes; 2 shards still to come to where they were\n"))
        #expect(try report.json().contains(#""refillingShards" : 2"#))
    }

    @Test func `the JSON holds everything`() throws {
        let json = try Self.report().json()
        // What matters is the content; the spaces are the encoder's.
        #expect(
            try canonical(Data(json.utf8))
                == canonical(Data(Golden.text("status.json").utf8)), "\(json)")
    }

    @Test(
        arguments: zip(
            [-5, 0, 119, 120, 7_199, 7_200, 172_799, 172_800],
            ["0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]))
    func `an age is told in a unit that suits it`(seconds: Int, words: String) {
        #expect(StatusReport.age(of: Self.time - Double(seconds), at: Self.time) == words)
    }

    @Test func `the program prints what the file holds`() async throws {
        let folder = try TemporaryDirectory()
        let config = folder.path("config.json")
        try Data(
            """
            {"name":"golden","streams":[{"table":"orders"}],"redis":{"url":"redis://127.0.0.1"},
            "checkpoint":{"directory":"\(folder.path)"}}
            """.utf8
        ).write(to: URL(filePath: config))
        let none = try await ShardwalkProcess.run(["status", "--config", config])
        #expect(none.code == 74)
        #expect(
            none.log.contains("there is no checkpoint at \(folder.path)/golden.checkpoint.json"))

        try Data(try Self.checkpoint().encoded()).write(
            to: URL(filePath: folder.path("golden.checkpoint.json")))
        let table = try await ShardwalkProcess.run(["status", "--config", config])
        #expect(table.code == 0 && table.log.isEmpty)
        #expect(table.output.hasPrefix("golden: saved "))
        let golden = try Self.report().table(all: false)
        #expect(table.output.split(separator: "\n").count == golden.split(separator: "\n").count)
        let json = try await ShardwalkProcess.run(["status", "--config", config, "--json"])
        let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
        #expect((object as? [String: Any])?["name"] as? String == "golden")
        #expect(json.code == 0 && json.log.isEmpty)
    }

    @Test func `it works beside a running daemon`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create()
            try stage.configure()
            let daemon = try stage.start("run")
            // While the file is replaced every second, it is always a whole one that is read.
            try await wait { try stage.checkpoint() != nil }
            for number in 0..<5 {
                try await table.put(number..<number + 1)
                let status = try await stage.run("status", "--all")
                #expect(status.code == 0 && status.output.hasPrefix("test: saved "), "\(status)")
            }
            try await daemon.stop()
        }
    }
}
