import Foundation
import Records
import Testing
import Walk

/// The text of the checkpoint: what is written is what is read, and nothing else is read at all.
@Suite struct CheckpointTests {
    /// A checkpoint with everything that one can hold.
    static let full = Checkpoint(
        name: "orders-cache", savedAt: now + 0.25,
        streams: [
            stream: Checkpoint.Stream(
                beginning: Checkpoint.Beginning(
                    time: now, leftOutBefore: now - 300, newestShardTime: now - 60.125),
                shards: [
                    shardID(5): Checkpoint.Shard(
                        position: .end, recordTime: now - 60, finishedAt: now - 30.5),
                    shardID(4): Checkpoint.Shard(
                        position: .after(number(17)), parent: shardID(5), recordTime: now),
                    shardID(3): Checkpoint.Shard(position: .start(number(1)), parent: shardID(4)),
                    shardID(2): Checkpoint.Shard(position: .since(now - 300)),
                    shardID(1): Checkpoint.Shard(
                        position: .trimHorizon, parent: shardID(2),
                        blocked: "the cache refuses the page: WRONGTYPE \"é\\"),
                ],
                gaps: [
                    Checkpoint.Gap(shard: shardID(5), reason: "trimmed", noticedAt: now),
                    Checkpoint.Gap(shard: nil, reason: "switched off and on", noticedAt: now),
                ], isDrained: true)
        ])

    static var goldenFile: URL {
        URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Golden/version-1.checkpoint.json")
    }

    static func damage(of bytes: [UInt8], name: String = "orders-cache") -> CheckpointDamage? {
        do throws(CheckpointDamage) {
            _ = try Checkpoint(decoding: bytes, name: name)
            return nil
        } catch {
            return error
        }
    }

    /// A file with the right checksum around any content.
    static func sealed(version: Int, _ content: String) -> [UInt8] {
        let rest = Array("\",\"version\":\(version),\"checkpoint\":\n\(content)\n}\n".utf8)
        let hex = String(CRC32.checksum(rest), radix: 16)
        let padded = String(repeating: "0", count: 8 - hex.utf8.count) + hex
        return Array("{\"format\":\"shardwalk-checkpoint\",\"checksum\":\"crc32:\(padded)".utf8)
            + rest
    }

    @Test func `version 1 is written and read as it was at first`() throws {
        let golden = Array(try Data(contentsOf: Self.goldenFile))
        #expect(
            String(decoding: Self.full.encoded(), as: UTF8.self)
                == String(decoding: golden, as: UTF8.self))
        #expect(try Checkpoint(decoding: golden, name: "orders-cache") == Self.full)
    }

    @Test func `the file is JSON that other tools can read`() throws {
        let object = try JSONSerialization.jsonObject(with: Data(Self.full.encoded()))
        let members = try #require(object as? [String: Any])
        #expect(members["version"] as? Int == 1)
        let content = try #require(members["checkpoint"] as? [String: Any])
        #expect(content["name"] as? String == "orders-cache")
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `what is written is read`(seed: UInt64) throws {
        let checkpoint = RandomCheckpoint.make(seed: seed)
        #expect(
            try Checkpoint(decoding: checkpoint.encoded(), name: checkpoint.name) == checkpoint)
    }

    @Test func `a byte that has changed is noticed, wherever it is`() {
        let bytes = Self.full.encoded()
        let head = "{\"format\":\"shardwalk-checkpoint\",\"checksum\":\"crc32:".utf8.count
        for place in bytes.indices {
            for change in [0x01, 0x10, 0x80, 0xFF] as [UInt8] {
                var damaged = bytes
                damaged[place] ^= change
                #expect(
                    Self.damage(of: damaged) == (place < head ? .foreign : .checksum),
                    "byte \(place)")
            }
        }
    }

    @Test func `a file that was cut, at whatever length, or went on is noticed`() {
        let bytes = Self.full.encoded()
        for length in bytes.indices { #expect(Self.damage(of: Array(bytes[..<length])) != nil) }
        #expect(Self.damage(of: bytes + [0]) == .checksum)
        #expect(Self.damage(of: bytes + bytes) == .checksum)
    }

    @Test(arguments: [
        "", "\n", "{}", "{}\n", "[1]", "null\n", "REDIS0009",
        "{\"format\":\"other\",\"version\":1}\n",
    ])
    func `what is not ours is foreign`(text: String) {
        #expect(Self.damage(of: Array(text.utf8)) == .foreign)
    }

    @Test func `a newer form is told apart from damage`() {
        #expect(Self.damage(of: Self.sealed(version: 2, "{\"new\":[]}")) == .newerVersion(2))
        var damaged = Self.sealed(version: 2, "{\"new\":[]}")
        damaged[damaged.count - 4] ^= 1
        #expect(Self.damage(of: damaged) == .checksum)
    }

    @Test func `a file of another daemon is not taken`() {
        #expect(
            Self.damage(of: Self.full.encoded(), name: "users-cache")
                == .otherName("orders-cache"))
    }

    @Test(arguments: [
        "{}", "[]", "{\"name\":\"orders-cache\",\"savedAt\":1,\"streams\":{\"x\":{}}}",
        #"{"name":"orders-cache","savedAt":1,"streams":{"no-arn":{"beginning":{"time":1},"drained":false,"gaps":[],"shards":{}}}}"#,
    ])
    func `content that nobody wrote is refused`(content: String) {
        guard case .content = Self.damage(of: Self.sealed(version: 1, content)) else {
            Issue.record("\(content) is taken")
            return
        }
    }

    @Test func `what the cache holds and has lost is remembered`() throws {
        var checkpoint = Self.full
        for (cached, text) in [(Checkpoint.CachedPositions.current, "true"), (.old, "false")] {
            checkpoint.streams[stream]?.cached = cached
            checkpoint.streams[stream]?.lost = [shardID(4): .after(number(20)), shardID(5): .end]
            let bytes = checkpoint.encoded()
            #expect(String(decoding: bytes, as: UTF8.self).contains("\"cached\" : \(text)"))
            #expect(try Checkpoint(decoding: bytes, name: "orders-cache") == checkpoint)
        }
    }

    @Test(arguments: ["NOWHERE", "AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER"])
    func `a position without its number is refused`(position: String) {
        let content = """
            {"name":"orders-cache","savedAt":1,"streams":{"\(stream)":{"beginning":{"time":1},\
            "drained":false,"gaps":[],"shards":{"s":{"position":"\(position)"}}}}}
            """
        #expect(
            Self.damage(of: Self.sealed(version: 1, content))
                == .content("shard s has no position that can be read"))
    }
}

/// Checkpoints of all kinds.
enum RandomCheckpoint {
    /// The checkpoint of a seed.
    static func make(seed: UInt64) -> Checkpoint {
        var generator = SeededGenerator(seed: seed)
        var streams: [StreamARN: Checkpoint.Stream] = [:]
        for place in 0..<Int.random(in: 0...3, using: &generator) {
            let text = "arn:aws:dynamodb:eu-west-1:1:table/t\(place)/stream/2026-01-0\(place + 1)"
            guard let arn = StreamARN(text) else { preconditionFailure("a stream's name") }
            var shards: [ShardID: Checkpoint.Shard] = [:]
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                shards[id(&generator)] = shard(&generator)
            }
            let cached = Checkpoint.CachedPositions.allCases.randomElement(using: &generator)
            streams[arn] = Checkpoint.Stream(
                beginning: Checkpoint.Beginning(
                    time: time(&generator), leftOutBefore: maybe(&generator, time),
                    newestShardTime: maybe(&generator, time)),
                shards: shards,
                gaps: (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                    Checkpoint.Gap(
                        shard: maybe(&generator, id), reason: words(&generator),
                        noticedAt: time(&generator))
                }, isDrained: Bool.random(using: &generator), cached: cached ?? .never,
                lost: Dictionary(
                    (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                        (id(&generator), shard(&generator).position)
                    }, uniquingKeysWith: { $1 }))
        }
        return Checkpoint(
            name: words(&generator), savedAt: time(&generator), streams: streams)
    }

    private static func maybe<Value>(
        _ generator: inout SeededGenerator, _ make: (inout SeededGenerator) -> Value
    ) -> Value? {
        Bool.random(using: &generator) ? make(&generator) : nil
    }

    private static func time(_ generator: inout SeededGenerator) -> Double {
        Double.random(in: 0...4e9, using: &generator)
    }

    private static func id(_ generator: inout SeededGenerator) -> ShardID {
        shardID(
            Double.random(in: 0...50, using: &generator),
            Int.random(in: 0...9_999, using: &generator))
    }

    private static func words(_ generator: inout SeededGenerator) -> String {
        let scalars = Array("aZ9 -_/\\\"\n\t\u{0}\u{1F}é漢😀\u{2028}".unicodeScalars)
        var text = ""
        for _ in 0..<Int.random(in: 0...12, using: &generator) {
            if let scalar = scalars.randomElement(using: &generator) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    private static func shard(_ generator: inout SeededGenerator) -> Checkpoint.Shard {
        let place = Int.random(in: 1...99_999, using: &generator)
        let positions: [Position] = [
            .trimHorizon, .start(number(place)), .since(time(&generator)), .after(number(place)),
            .end,
        ]
        return Checkpoint.Shard(
            position: positions.randomElement(using: &generator) ?? .end,
            parent: maybe(&generator, id), recordTime: maybe(&generator, time),
            finishedAt: maybe(&generator, time), blocked: maybe(&generator, words))
    }
}
