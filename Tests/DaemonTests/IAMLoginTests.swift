import AWS
import Foundation
import LocalRedis
import Logging
import Redis
import TestBed
import Testing
import Walk

@testable import shardwalk

// The login to the cache by IAM: what is configured, and what the cache's server gets.
@Suite struct IAMLoginTests {
    /// Reads `redis.iam` alone, and returns what is wrong with it.
    private func read(_ json: String) throws -> (iam: Config.IAM?, problems: [String]) {
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))
        let reader = ConfigReader(["iam": value])
        let iam = reader.section("iam", Config.IAM.init)
        return (iam, reader.problems)
    }

    /// What is wrong with a configuration that has this section `redis`.
    private func problems(_ redis: String) -> [String] {
        let text = #"{"streams":[{"table":"orders"}],"redis":\#(redis)}"#
        do {
            _ = try Config(json: Array(text.utf8), environment: ["USER": "iam-user"])
            return []
        } catch {
            return error.problems
        }
    }

    @Test(arguments: [
        (#"{"cache":"c"}"#, Config.IAM(cache: "c", service: .elasticache, isServerless: false)),
        (
            #"{"cache":"My-cache-1","service":null,"serverless":true,"region":"eu-west-1"}"#,
            Config.IAM(
                cache: "My-cache-1", service: .elasticache, isServerless: true, region: "eu-west-1")
        ),
        (
            #"{"cache":"c","service":"memorydb","serverless":false}"#,
            Config.IAM(cache: "c", service: .memorydb, isServerless: false)
        ),
        ("{}", nil), ("null", nil), (#"{"cache":null,"service":"elasticache"}"#, nil),
    ])
    func `a cache is named, and the rest has defaults`(json: String, expected: Config.IAM?) throws {
        let (iam, problems) = try read(json)
        #expect(iam == expected)
        #expect(problems.isEmpty, "\(problems)")
    }

    @Test(arguments: [
        (#"{"service":"memorydb"}"#, "iam.cache is missing: name the cache"),
        (#"{"serverless":true}"#, "iam.cache is missing"),
        (#"{"region":"us-east-1"}"#, "iam.cache is missing"),
        (#"{"cache":""}"#, "iam.cache is no cache's name"),
        (#"{"cache":"c.abc.use1.cache.amazonaws.com"}"#, "iam.cache is no cache's name"),
        (#"{"cache":"c:6379"}"#, "not its address"),
        (#"{"cache":"ccccccccccccccccccccccccccccccccccccccccc"}"#, "iam.cache is no cache's name"),
        (#"{"cache":"c","service":"redis"}"#, "give elasticache or memorydb"),
        (#"{"cache":"c","service":"memorydb","serverless":true}"#, "iam.serverless is true: only"),
        (#"{"cache":"c","serverless":"yes"}"#, "give true or false"),
        (#"{"cache":"c","region":""}"#, "iam.region is no region"),
        (#"{"cache":"c","region":"us east"}"#, "iam.region is no region"),
        (#"{"cache":"c","user":"u"}"#, "iam.user is not a key"),
        (#""c""#, "iam is a text: give an object"),
    ])
    func `a login that can't be is refused in words`(json: String, words: String) throws {
        let problems = try read(json).problems
        #expect(problems.count == 1 && problems[0].contains(words), "\(problems)")
    }

    @Test func `it takes TLS and a user, and no password`() {
        let iam = #""iam":{"cache":"c"}"#
        let tls = "redis.iam needs TLS: give an address that begins with rediss:// in url"
        let user = "redis.iam needs a user: give rediss://user@host:port in url"
        let beside = "redis.iam is given beside a password in"
        #expect(problems(#"{"url":"redis://cache",\#(iam)}"#) == [tls, user])
        #expect(problems(#"{"url":"redis://u@cache",\#(iam)}"#) == [tls])
        #expect(problems(#"{"url":"unix://u@/rediss:",\#(iam)}"#) == [tls])
        #expect(
            problems(#"{"url":"redis://u:p@cache",\#(iam)}"#)
                == [tls, "\(beside) url: give one of them"])
        #expect(
            problems(#"{"url":"redis://u@cache","passwordFile":"/p",\#(iam)}"#)
                == [tls, "\(beside) passwordFile: give one of them"])
        for url in ["rediss://u@cache", "REDISS://${USER}@cache:6379/0"] {
            let problems = problems(#"{"url":"\#(url)",\#(iam)}"#)
            #expect(!problems.contains { $0.hasPrefix("redis.iam") }, "\(problems)")
        }
        #expect(problems(#"{"url":"redis://cache","iam":{"cache":null}}"#).isEmpty)
    }

    /// The services and the connection of a daemon that logs in by IAM to a server on this machine.
    private func services(
        _ stage: Stage, _ iam: Config.IAM, environment: [String: String]? = nil
    ) async throws -> (Services, RedisConfiguration) {
        try stage.configure(["redis": #"{"url":"unix://iam-user@\#(stage.redis.socketPath)"}"#])
        var config = try Config.load(stage.configPath, environment: [:])
        // Left out of the file, which admits it over TLS alone.
        config.iam = iam
        // Tokens are made by tasks, and all tests together keep those waiting at times.
        config.redis.connectTimeout = .seconds(300)
        let services = try await Services(
            config, environment: environment ?? stage.environment,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return (services, services.redis(config))
    }

    private static let user = "user iam-user on ~* &* +@all"

    @Test func `its tokens are signed with the keys that AWS is called with`() async throws {
        try await withStage(endpoint: "http://127.0.0.1:1", redisSettings: [Self.user]) { stage in
            let (services, configured) = try await services(
                stage, Config.IAM(cache: "Orders", service: .elasticache, isServerless: true))
            var redis = configured
            let login = try #require(redis.tokenLogin)
            redis.tokenLogin = TokenLogin {
                let outcome = await login.make()
                if case .success(let token) = outcome {
                    let written = token.text.firstMatch(of: /&X-Amz-Date=(\w+)&/)
                    let style = Date.ISO8601FormatStyle(
                        dateSeparator: .omitted, timeSeparator: .omitted)
                    let date = try? style.parse(String(written?.output.1 ?? ""))
                    #expect(
                        token.text
                            == CacheLogin(
                                cache: "orders", user: "iam-user", service: .elastiCache,
                                region: "us-east-1", isServerless: true
                            ).token(signedWith: Stage.keys, at: date ?? .distantPast))
                    // The server knows it before it is used.
                    let reply = stage.redis.command("ACL SETUSER iam-user >\(token.text)")
                    #expect(reply == "+OK")
                }
                return outcome
            }
            let found = try await Check.probe(redis)
            #expect(found.contains("Redis "))
            let sink = try RedisSink(
                redis, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let replies = try await sink.replies(to: [["ACL", "WHOAMI"]])
            #expect(replies.first?.text == "iam-user")
            await sink.close()
            await services.close()
        }
    }

    @Test(arguments: [
        (
            Config.IAM(cache: "Orders", service: .elasticache, isServerless: true),
            [
                "ElastiCache serverless cache orders in us-east-1", "the cache is a serverless one",
                "elasticache:Connect",
            ]
        ),
        (
            Config.IAM(
                cache: "orders", service: .elasticache, isServerless: false, region: "eu-west-1"),
            [
                "ElastiCache cache orders in eu-west-1", "the cache is not a serverless one",
                "elasticache:Connect",
            ]
        ),
        (
            Config.IAM(cache: "orders", service: .memorydb, isServerless: false),
            ["MemoryDB cluster orders in us-east-1", "memorydb:connect"]
        ),
    ])
    func `a refusal names all that was signed, and no secret`(
        iam: Config.IAM, words: [String]
    ) async throws {
        try await withStage(endpoint: "http://127.0.0.1:1", redisSettings: [Self.user]) { stage in
            let (services, redis) = try await services(stage, iam)
            let stop = await #expect(throws: Stop.self) { try await Check.probe(redis) }
            await services.close()
            #expect(stop?.exit == .denied)
            let reason = try #require(stop?.reason)
            for word in words + ["WRONGPASS", "user iam-user", "access key LOCALSTREAMS"] {
                #expect(reason.contains(word), "\(reason)")
            }
            for secret in Stage.secrets + ["X-Amz", "Signature"] {
                #expect(!reason.contains(secret), "\(reason)")
            }
        }
    }

    @Test func `without credentials there is no login, and the reason is theirs`() async throws {
        try await withStage(endpoint: "http://127.0.0.1:1", redisSettings: [Self.user]) { stage in
            var environment = stage.environment
            environment["AWS_ACCESS_KEY_ID"] = nil
            let (services, redis) = try await services(
                stage, Config.IAM(cache: "orders", service: .elasticache, isServerless: false),
                environment: environment)
            let stop = await #expect(throws: Stop.self) { try await Check.probe(redis) }
            await services.close()
            #expect(stop?.exit == .denied)
            #expect(
                stop?.reason.contains("no token for the IAM login can be made: ") == true,
                "\(stop?.reason ?? "")")
        }
    }
}
