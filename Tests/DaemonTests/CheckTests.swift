import Foundation
import LocalRedis
import LocalStreams
import TestBed
import Testing
import Walk

// `shardwalk check`: says what would go wrong, with the exit code that run would have, and changes nothing.
@Suite(.serialized) struct CheckTests {
    @Test func `it finds nothing wrong where nothing is, and leaves no trace`() async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            try await table.create(keys: ["pk": "N", "sk": "B"])
            try stage.configure(streams: #"[{"table":"items","key":"a:{pk}:{sk}"}]"#)
            let check = try await stage.run("check")
            #expect(check.code == 0, "\(check)")
            let lines = check.output.split(separator: "\n")
            #expect(lines.count == 6)
            #expect(lines.allSatisfy { $0.hasPrefix("ok    ") })
            #expect(check.output.contains("the access key LOCALSTREAMS from the environment"))
            #expect(check.output.contains("key a:{pk}:{sk}"))
            #expect(check.output.contains("none yet: starts as configured"))
            for secret in Stage.secrets {
                #expect(!check.output.contains(secret) && !check.log.contains(secret))
            }
            #expect(stage.redis.command("DBSIZE") == ":0")
            let files = try FileManager.default.contentsOfDirectory(atPath: stage.folder.path)
            #expect(files == ["config.json"])
        }
    }

    @Test func `beside a running daemon it finds nothing wrong either`() async throws {
        try await withStage { stage, _ in
            try await stage.table().create()
            try stage.configure()
            let daemon = try stage.start("run")
            try await wait { try stage.checkpoint()?.streams.isEmpty == false }
            let check = try await stage.run("check")
            #expect(check.code == 0, "\(check)")
            #expect(check.output.contains("(2 shards)"))
            try await daemon.stop()
        }
    }

    @Test func `a host of streams that can't be reached is found, although the table's can`()
        async throws
    {
        try await withStage { stage, streams in
            try await stage.table().create()
            try stage.configure(["aws": #"{"region": "us-east-1"}"#])
            let check = try await stage.run(
                "check",
                environment: [
                    "AWS_ENDPOINT_URL": streams.endpoint,
                    "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://127.0.0.1:1",
                ])
            #expect(check.code == 69)
            #expect(check.output.contains("FAIL  stream"))
            #expect(check.output.contains("DescribeStream"))
        }
    }

    @Test func `two tables whose keys have one form are noted`() async throws {
        try await withStage { stage, _ in
            try await stage.table().create()
            try await stage.table("others").create()
            try stage.configure(streams: #"[{"table":"items"},{"table":"others"}]"#)
            let check = try await stage.run("check")
            #expect(check.code == 0)
            #expect(
                check.output.contains("note  table items and table others make keys of one form"))
        }
    }

    @Test func `without any server it checks the configuration alone`() async throws {
        try await withStage(endpoint: "http://127.0.0.1:1") { stage in
            try stage.configure()
            await stage.redis.kill()
            let check = try await stage.run("check", "--offline")
            #expect(check.code == 0)
            #expect(check.output == "ok    configuration  \(stage.configPath)\n")
            #expect(check.log.isEmpty)
        }
    }

    /// What may be wrong with a table, and what is said about it.
    enum Fault: CaseIterable {
        case noTable, noStream, keysOnly, otherAttribute

        var streams: String {
            self == .otherAttribute
                ? #"[{"table":"items","key":"{name}"}]"# : #"[{"table":"items"}]"#
        }
        var words: String {
            switch self {
            case .noTable: "table items"
            case .noStream: "stream"
            case .keysOnly: "NEW_IMAGE or NEW_AND_OLD_IMAGES"
            case .otherAttribute: "{name} is not a key attribute of the table: it has {id}"
            }
        }
    }

    @Test(arguments: Fault.allCases)
    func `a table that can't be followed is a matter of configuration`(
        fault: Fault
    ) async throws {
        try await withStage { stage, _ in
            let table = try await stage.table()
            switch fault {
            case .noTable: break
            case .noStream: try await table.create(view: nil)
            case .keysOnly: try await table.create(view: "KEYS_ONLY")
            case .otherAttribute: try await table.create()
            }
            try stage.configure(streams: fault.streams)
            let check = try await stage.run("check")
            #expect(check.code == 78, "\(check)")
            #expect(check.output.contains("FAIL  stream"))
            #expect(check.output.contains(fault.words), "\(check.output)")
            // What does not depend on it is tried all the same.
            #expect(check.output.contains("ok    redis"))
            let run = try await stage.run("run")
            #expect(run.code == 78)
            #expect(run.log.contains(fault.words))
        }
    }

    @Test func `keys that AWS does not take are a matter of permission`() async throws {
        try await withStage { stage, _ in
            try await stage.table().create()
            try stage.configure()
            let wrong = ["AWS_SECRET_ACCESS_KEY": "another-secret-key-mark"]
            let check = try await stage.run("check", environment: wrong)
            #expect(check.code == 77, "\(check)")
            #expect(
                !check.output.contains("another-secret") && !check.log.contains("another-secret"))
            #expect(try await stage.run("run", environment: wrong).code == 77)
            let none = ["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""]
            let missing = try await stage.run("check", environment: none)
            #expect(missing.code == 77, "\(missing)")
        }
    }

    @Test func `a login that Redis does not take is a matter of permission`() async throws {
        let limited = "user limited on >limited-password ~* +@all -select"
        try await withStage(redisSettings: [limited]) { stage, _ in
            try await stage.table().create()
            try stage.configure()
            let wrong = try await stage.run(
                "check", environment: ["REDIS_PASSWORD": "wrong-password"])
            #expect(wrong.code == 77, "\(wrong)")
            #expect(wrong.output.contains("WRONGPASS") && !wrong.output.contains("wrong-password"))
            let path = stage.redis.socketPath
            try stage.configure([
                "redis": #"{"url": "unix://limited:limited-password@\#(path)?db=1"}"#
            ])
            let denied = try await stage.run("check")
            #expect(denied.code == 77, "\(denied)")
            #expect(denied.output.contains("NOPERM") && !denied.output.contains("limited-password"))
        }
    }

    @Test func `a server that can't be reached is named`() async throws {
        try await withStage(endpoint: "http://127.0.0.1:1") { stage in
            try stage.configure(["redis": #"{"url": "redis://127.0.0.1:1"}"#])
            let check = try await stage.run("check")
            #expect(check.code == 69)
            #expect(check.output.contains("FAIL  stream") && check.output.contains("127.0.0.1:1"))
            #expect(check.output.contains("FAIL  redis"))
            #expect(check.output.contains("ok    checkpoint"))
        }
    }
}
