import Foundation
import LocalRedis
import Records
import TestBed
import Testing
import Walk

@testable import Redis

/// What the sink does with a server that is well.
struct RedisSinkTests {
    @Test func `keys and values of any bytes are set and removed`() async throws {
        let everyByte = (0...255).map { UInt8($0) }
        var pairs: [(key: [UInt8], value: [UInt8]?)] = [
            (everyByte, everyByte.reversed()), ([], [1]), ([0], []), ([13, 10], [13, 10, 0]),
            ([36, 51], [42, 49, 13, 10]),
        ]
        try await withRedisServer { server in
            try await withSink(server.url) { sink in
                try await sink.apply(changes(pairs))
                let model = Dictionary(uniqueKeysWithValues: pairs.map { ($0.key, $0.value ?? []) })
                #expect(try await sink.contents() == model)
                for index in pairs.indices { pairs[index].value = nil }
                try await sink.apply(changes(pairs))
                #expect(try await sink.contents().isEmpty)
                try await sink.apply(changes(pairs))
                try await sink.apply(changes([(String, String?)]()))
            }
        }
    }

    @Test func `a set of 10,000 changes is written whole`() async throws {
        try await withRedisServer(tcp: true) { server in
            try await withSink(server.url) { sink in
                let first = (0..<10_000).map { ("key\($0)", Optional("value \($0)")) }
                try await sink.apply(changes(first))
                let second = first.map { ($0.0, $0.0.hasSuffix("7") ? nil : $0.1) }
                try await sink.apply(changes(second))
                let model = second.filter { $0.1 != nil }
                let contents = try await sink.contents()
                #expect(contents.count == model.count)
                for (key, value) in model {
                    #expect(contents[Array(key.utf8)] == value.map { Array($0.utf8) })
                }
            }
        }
    }

    @Test func `values of 5 MB go through, also several at once`() async throws {
        let values = (0..<4).map { index in
            [UInt8](repeating: UInt8(97 + index), count: 5 << 20)
        }
        try await withRedisServer(tcp: true) { server in
            try await withSink(server.url) { sink in
                try await sink.apply(
                    changes(values.enumerated().map { (Array("k\($0)".utf8), $1) }))
                let contents = try await sink.contents()
                for (index, value) in values.enumerated() {
                    #expect(contents[Array("k\(index)".utf8)] == value)
                }
            }
        }
    }

    @Test func `replies that fill every buffer are read while commands are still being sent`()
        async throws
    {
        let words = String(repeating: "x", count: 4 << 20)
        try await withRedisServer(tcp: true) { server in
            try await withSink(server.url) { sink in
                let replies = try await sink.replies(
                    to: Array(repeating: ["ECHO", words], count: 6))
                #expect(replies == Array(repeating: .bytes(Array(words.utf8)), count: 6))
            }
        }
    }

    @Test func `200 callers at once share pipelines and each gets its own answer`() async throws {
        try await withRedisServer { server in
            try await withSink(server.url) { sink in
                try await withThrowingTaskGroup { group in
                    for caller in 0..<200 {
                        group.addTask {
                            for round in 0..<5 {
                                let pairs = (0..<10).map {
                                    ("c\(caller):\($0)", Optional("\(round)"))
                                }
                                try await sink.apply(changes(pairs))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                let contents = try await sink.contents()
                #expect(contents.count == 2_000)
                #expect(contents.values.allSatisfy { $0 == [52] })
            }
        }
    }

    @Test func `what waits together travels together`() async throws {
        try await withRedisServer { server in
            let inbox = Inbox(waker: try #require(Waker()))
            try await withThrowingTaskGroup { group in
                let waiting = Counter()
                for caller in 0..<200 {
                    group.addTask {
                        let outcome = await withCheckedContinuation { continuation in
                            let pair = [("c\(caller)", Optional("v"))]
                            let batch = Batch(changes: changes(pair), step: nil)
                            let isTaken = inbox.put(Job(.batch(batch), continuation))
                            #expect(isTaken)
                            waiting.add()
                        }
                        let replies = try outcome.get().replies
                        #expect(replies.isEmpty)
                    }
                }
                try await wait { waiting.value == 200 }
                let configuration = RedisConfiguration(address: try RedisAddress(server.url))
                Thread {
                    Connection(configuration, inbox: inbox, logger: LogRecord().logger).run()
                }.start()
                try await group.waitForAll()
            }
            inbox.close()
            await inbox.waitForEnd()
            // Two reads for the login, few for the 200 batches, some for the clients of this test.
            let reads = try await withSink(server.url) { sink in
                let info = try await sink.replies(to: [["INFO", "stats"]])[0].text
                let line = info?.split(separator: "\r\n").first { $0.hasPrefix("total_reads_p") }
                return Int(line?.split(separator: ":").last ?? "")
            }
            #expect(try #require(reads) < 30)
            #expect(server.command("DBSIZE") == ":200")
        }
    }

    @Test func `a cancelled task finishes its write`() async throws {
        try await withRedisServer { server in
            try await withSink(server.url) { sink in
                let task = Task { try await sink.apply(changes([("k", "v")])) }
                task.cancel()
                try await task.value
                #expect(server.command("EXISTS k") == ":1")
            }
        }
    }

    @Test func `closing finishes what has come in, and takes no more`() async throws {
        try await withRedisServer { server in
            var configuration = RedisConfiguration(address: try RedisAddress(server.url))
            configuration.clientName = "closing"
            let sink = try RedisSink(configuration, logger: LogRecord().logger)
            try await sink.apply(changes([("first", "v")]))
            server.pause()
            let started = Counter()
            let applied = try await withThrowingTaskGroup { group in
                for caller in 0..<50 {
                    group.addTask {
                        started.add()
                        do throws(SinkError) {
                            try await sink.apply(changes([("c\(caller)", "v")]))
                            return true
                        } catch {
                            #expect(error.message == "the connection to Redis is closed")
                            return false
                        }
                    }
                }
                try await wait { started.value == 50 }
                server.resume()
                await sink.close()
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(server.command("DBSIZE") == ":\(applied + 1)")
            await #expect(throws: SinkError.self) { try await sink.apply(changes([("k", "v")])) }
            try await wait { server.command("CLIENT LIST")?.contains("closing") == false }
            await sink.close()
        }
    }

    @Test func `the database of the address is the one that is written`() async throws {
        try await withRedisServer(tcp: true) { server in
            try await withSink("\(server.url)/3") { try await $0.apply(changes([("k", "3")])) }
            try await withSink("unix://\(server.socketPath)?db=5") {
                try await $0.apply(changes([("k", "5"), ("l", "5")]))
            }
            try await withSink(server.url) { sink in
                let keyspace = try await sink.replies(to: [["INFO", "keyspace"]])[0].text ?? ""
                #expect(keyspace.contains("db3:keys=1,"))
                #expect(keyspace.contains("db5:keys=2,"))
                #expect(!keyspace.contains("db0"))
            }
            try await withSink("\(server.url)/16") { sink in
                let error = await #expect(throws: SinkError.self) {
                    try await sink.apply(changes([("k", "v")]))
                }
                #expect(error?.kind == .denied)
                #expect(error?.message.contains("SELECT") == true)
            }
        }
    }

    @Test func `the probe tells what it finds and changes nothing`() async throws {
        let settings = ["maxmemory 100mb", "maxmemory-policy allkeys-lru"]
        try await withRedisServer(settings: settings) { server in
            let info = try await probeRedis(
                RedisConfiguration(address: try RedisAddress(server.url)))
            #expect(info.version?.isEmpty == false)
            #expect(info.role == "master")
            #expect(info.maxmemoryPolicy == "allkeys-lru")
            #expect(server.command("DBSIZE") == ":0")
        }
    }
}
