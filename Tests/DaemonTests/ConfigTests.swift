import AWS
import Foundation
import Logging
import Redis
import TestBed
import Testing
import Walk

@testable import shardwalk

// The configuration as a value: what is read, and everything that is refused, all of it at once.
@Suite struct ConfigTests {
    /// What every configuration needs, as members of the object.
    private static let needed = #""streams":[{"table":"orders"}],"redis":{"url":"redis://cache"}"#

    /// Reads a configuration that holds what is needed and something more.
    private func read(
        _ more: String, environment: [String: String] = [:]
    ) throws -> Config {
        let members = [Self.needed, more].filter { !$0.isEmpty }.joined(separator: ",")
        return try Config(json: Array("{\(members)}".utf8), environment: environment)
    }

    /// What is wrong with a text.
    private func problems(_ text: String, environment: [String: String] = [:]) -> [String] {
        do {
            _ = try Config(json: Array(text.utf8), environment: environment)
            return []
        } catch {
            return error.problems
        }
    }

    @Test func `little is needed, and the rest has defaults`() throws {
        let config = try read("")
        #expect(config.name == "shardwalk")
        #expect(config.streams.map(\.origin) == [.table("orders")])
        #expect(config.streams.map(\.start) == [.trimHorizon])
        #expect(config.streams.allSatisfy { $0.key == nil })
        #expect("\(config.redis.address)" == "redis://cache:6379/0")
        #expect(config.redis.clientName == "shardwalk:shardwalk")
        #expect(config.checkpointDirectory == "/var/lib/shardwalk")
        #expect(config.checkpointBeat == .seconds(1))
        #expect(
            config.idle
                == IdlePause(
                    minimum: .milliseconds(250), maximum: .seconds(1), pollsPerSecond: 2_000))
        #expect(config.pageBytes == 32 << 20)
        #expect(config.logLevel == .info && config.logFormat == .text)
        #expect(config.aws.region == nil && config.aws.endpoint == nil)
        #expect(config.aws.connections == 64 && config.aws.describeCallsPerSecond == 5)
    }

    @Test func `null is the same as leaving a key out`() throws {
        let config = try read(
            #""name":null,"aws":{"region":null,"connections":null},"idle":null,"log":{"level":null}"#
        )
        #expect(config.name == "shardwalk" && config.aws.connections == 64)
        #expect(config.logLevel == .info)
    }

    @Test func `everything that is wrong is told at once, each with its place`() {
        let text = """
            {"nam":"x","aws":{"regoin":"us-east-1","connections":0,"endpoint":"localhost:8000"},
            "streams":[{"table":"or ders","start":"LATST"},{"tabel":"x"},7],
            "redis":{"url":"http://cache","connectTimeoutSeconds":"5"},
            "checkpoint":{"directory":"relative"},"idle":{"minimumMilliseconds":2000,
            "maximumMilliseconds":1000},"memory":{"pagesMegabytes":1.5},"log":{"format":"xml"},
            "colour":true}
            """
        #expect(
            problems(text) == [
                "aws.connections is 0: give a whole number from 1 to 1024",
                "aws.endpoint is no address: give http://host:port or https://host, without a path",
                "aws.regoin is not a key; did you mean region?",
                "streams[0].start is \"LATST\": give TRIM_HORIZON or LATEST; did you mean LATEST?",
                "streams[0].table is no table's name: give 3 to 255 letters, digits, - _ .",
                "streams[1] names no stream: give table or arn",
                "streams[1].tabel is not a key; did you mean table?",
                "streams[2] is a number: give an object",
                "redis.connectTimeoutSeconds is a text: give a whole number",
                "redis.url can't be used: it begins with none of redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://",
                "checkpoint.directory is not absolute: give a path that begins with /",
                "idle.maximumMilliseconds is 1000: give no less than idle.minimumMilliseconds",
                "memory.pagesMegabytes is 1.5: give a whole number from 4 to 4096",
                "log.format is \"xml\": give text or json",
                "colour is not a key that shardwalk knows",
                "nam is not a key; did you mean name?",
            ])
    }

    @Test(arguments: [
        ("name", "7", "is a number: give a text"),
        ("name", "\"\"", "is not a name"), ("name", "\".hidden\"", "is not a name"),
        ("name", "\"../../etc/passwd\"", "is not a name"), ("name", "\"a/b\"", "is not a name"),
        ("name", "\"a b\"", "is not a name"), ("name", "\"a\\u0000b\"", "is not a name"),
        ("name", "\"\u{e9}\"", "is not a name"), ("name", "\"a\\nb\"", "is not a name"),
        ("aws", "[]", "is a list: give an object"), ("aws", "\"x\"", "is a text: give an object"),
        ("log", "{\"level\":\"verbose\"}", "level is \"verbose\": give trace or debug"),
        ("log", "{\"level\":3}", "level is a number: give a text"),
        ("log", "{\"level\":\"Info\"}", "did you mean info?"),
        ("memory", "{\"pagesMegabytes\":3}", "is 3: give a whole number from 4 to 4096"),
        ("memory", "{\"pagesMegabytes\":4097}", "is 4097: give a whole number"),
        ("memory", "{\"pagesMegabytes\":-1e300}", "is -1e+300: give a whole number"),
        ("memory", "{\"pagesMegabytes\":true}", "is true or false: give a whole number"),
        ("idle", "{\"minimumMilliseconds\":49}", "is 49: give a whole number from 50 to 60000"),
        ("idle", "{\"maximumMilliseconds\":60001}", "is 60001: give a whole number"),
        ("checkpoint", "{\"saveEverySeconds\":0}", "is 0: give a whole number from 1 to 60"),
        ("checkpoint", "{\"directory\":\"/a\\u0000b\"}", "directory is not absolute"),
        ("checkpoint", "{\"directory\":\"\"}", "directory is not absolute"),
        ("aws", "{\"describeCallsPerSecond\":11}", "is 11: give a whole number from 1 to 10"),
        ("aws", "{\"requestTimeoutSeconds\":121}", "is 121: give a whole number from 1 to 120"),
    ])
    func `a value that can't be is refused in words`(
        key: String, value: String, words: String
    ) throws {
        let found = problems("{\(Self.needed),\"\(key)\":\(value)}")
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix(key) == true && found.first?.contains(words) == true, "\(found)")
    }

    @Test(arguments: [
        ("[]", ["streams is empty: name one stream at least, by table or by arn"]),
        ("null", ["streams is empty: name one stream at least, by table or by arn"]),
        ("{}", ["streams is an object: give a list"]),
        (
            #"[{"table":"orders","arn":"x"}]"#,
            [
                "streams[0] gives both table and arn: give one of them"
            ]
        ),
        (
            #"[{"table":"orders"},{"table":"orders"}]"#,
            [
                "streams[1] names table orders a second time: follow it once"
            ]
        ),
        (
            #"[{"arn":"arn:aws:dynamodb:us-east-1:1:table/orders/stream/2"},{"table":"orders"}]"#,
            ["streams[1] names table orders a second time: follow it once"]
        ),
        (
            #"[{"arn":"arn:aws:dynamodb:us-east-1:1:table/orders"}]"#,
            [
                "streams[0].arn is no stream's ARN: give arn:<partition>:dynamodb:<region>:<account>:table/<table>/stream/<label>"
            ]
        ),
        (
            #"[{"table":"ab"}]"#,
            [
                "streams[0].table is no table's name: give 3 to 255 letters, digits, - _ ."
            ]
        ),
    ])
    func `streams are named once each, by table or by name`(streams: String, found: [String]) {
        #expect(problems(#"{"streams":\#(streams),"redis":{"url":"redis://cache"}}"#) == found)
    }

    @Test(arguments: ["{", "}", "{}", "{id", "user", "{a}}"])
    func `a key template that can't be used is refused with its place`(template: String) {
        let text =
            #"{"streams":[{"table":"orders","key":"\#(template)"}],"redis":{"url":"redis://cache"}}"#
        let found = problems(text)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("streams[0].key can't be used: ") == true, "\(found)")
    }

    @Test func `the variables of shardwalk come before the file, but empty ones do not count`()
        throws
    {
        let file = #""checkpoint":{"directory":"/file"}"#
        let variables = [
            "SHARDWALK_REDIS_URL": "redis://other/1", "SHARDWALK_CHECKPOINT_DIRECTORY": "/variable",
            "STATE_DIRECTORY": "/state",
        ]
        let config = try read(file, environment: variables)
        #expect("\(config.redis.address)" == "redis://other:6379/1")
        #expect(config.checkpointDirectory == "/variable")
        let empty = try read(file, environment: variables.mapValues { _ in "" })
        #expect("\(empty.redis.address)" == "redis://cache:6379/0")
        #expect(empty.checkpointDirectory == "/file")
        // systemd's comes last: who names a directory means it.
        let state = ["STATE_DIRECTORY": "/state"]
        #expect(try read("", environment: state).checkpointDirectory == "/state")
        #expect(try read(file, environment: state).checkpointDirectory == "/file")
        let alone = Array(#"{"streams":[{"table":"orders"}]}"#.utf8)
        let url = ["SHARDWALK_REDIS_URL": "redis://${HOST}:1", "HOST": "cache"]
        #expect(
            "\(try Config(json: alone, environment: url).redis.address)" == "redis://cache:1/0")
        #expect(
            problems(#"{"streams":[{"table":"orders"}]}"#).first?.hasPrefix("redis.url is missing")
                == true)
    }

    @Test func `a mistake is told in one line, whatever the file holds`() {
        for text in ["\\u007f", "\\n", "\\u001b[2J", String(repeating: "x", count: 100_000)] {
            let stream = #"{"table":"orders","key":"{id}}\#(text)"}"#
            let found = problems(#"{"streams":[\#(stream)],"redis":{"url":"redis://cache"}}"#)
            #expect(found.count == 1)
            for problem in found {
                #expect(problem.utf8.count < 1_010)
                #expect(problem.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
            }
        }
    }

    @Test func `a password comes from a variable, whatever is in it`() throws {
        let url = #""redis":{"url":"redis://user:${PASSWORD}@cache"}"#
        let streams = #""streams":[{"table":"orders"}]"#
        for password in ["p@ss/word:#?%20", "${X}", "\u{e9}\u{1F600}", "}", " "] {
            let config = try Config(
                json: Array("{\(streams),\(url)}".utf8), environment: ["PASSWORD": password])
            #expect(try config.redis.password() == password)
            #expect(!"\(config)".contains(password) || password == " ")
        }
        #expect(
            problems("{\(streams),\(url)}") == [
                "redis.url asks for the environment variable PASSWORD, which is not set"
            ])
        #expect(
            problems("{\(streams),\(url)}", environment: ["PASSWORD": ""]) == [
                "redis.url asks for the environment variable PASSWORD, which is not set"
            ])
        #expect(
            problems(#"{\#(streams),"redis":{"url":"redis://:${X@cache"}}"#) == [
                "redis.url has a ${ without its }"
            ])
    }

    @Test func `TLS has what it needs and no more`() throws {
        func tls(_ members: String, url: String = "rediss://cache") -> String {
            #"{"streams":[{"table":"orders"}],"redis":{"url":"\#(url)","tls":{\#(members)}}}"#
        }
        let all = """
            "caFile":"/a","caDirectory":"/b","certificateFile":"/c","keyFile":"/d","serverName":"e",\
            "skipVerification":true
            """
        let config = try Config(json: Array(tls(all).utf8), environment: [:]).redis
        #expect(config.tls.caFile == "/a" && config.tls.caDirectory == "/b")
        #expect(config.tls.certificateFile == "/c" && config.tls.keyFile == "/d")
        #expect(config.tls.serverName == "e" && config.isUnverified)
        let plain = try Config(json: Array(tls("").utf8), environment: [:]).redis
        #expect(plain.tls == RedisTLS() && !plain.isUnverified)
        for (text, found) in [
            (
                tls(all, url: "redis://cache"),
                "redis.tls is given, and redis.url asks for no TLS: give a rediss:// address"
            ),
            (
                tls(#""skipVerification":true"#, url: "unix:///s"),
                "redis.tls is given, and redis.url asks for no TLS: give a rediss:// address"
            ),
            (
                tls(#""certificateFile":"/c""#),
                "redis.tls.keyFile is missing: certificateFile needs its key"
            ),
            (
                tls(#""keyFile":"/d""#),
                "redis.tls.certificateFile is missing: keyFile is the key to one"
            ),
            (tls(#""caFile":"""#), "redis.tls.caFile is no path: name a file, or leave it out"),
            (
                tls(#""serverName":"a b""#),
                "redis.tls.serverName is no name: give the one that the certificate is for"
            ),
            (
                tls(#""serverName":".example""#),
                "redis.tls.serverName is no name: give the one that the certificate is for"
            ),
            (
                tls(#""skipVerification":1"#),
                "redis.tls.skipVerification is a number: give true or false"
            ),
            (tls(#""cafile":"/a""#), "redis.tls.cafile is not a key; did you mean caFile?"),
        ] { #expect(problems(text) == [found]) }
        // What says the default is no mistake anywhere.
        let none = #""caFile":null,"skipVerification":false"#
        #expect(problems(tls(none, url: "redis://cache")).isEmpty)
    }

    @Test func `sentinels have a login of their own`() throws {
        func sentinel(_ members: String, url: String = "redis+sentinel://a,b/main") -> String {
            #"{"streams":[{"table":"orders"}],"redis":{"url":"\#(url)","sentinel":{\#(members)}}}"#
        }
        let folder = try TemporaryDirectory()
        let file = folder.path("password")
        let both = #""username":"asker","passwordFile":"\#(file)""#
        let redis = try Config(json: Array(sentinel(both).utf8), environment: [:]).redis
        #expect("\(redis.address)" == "redis+sentinel://a:26379,b:26379/main/0")
        #expect(redis.sentinelUser == "asker")
        #expect(throws: (any Error).self) { try redis.sentinelPassword() }
        try Data("please\n".utf8).write(to: URL(filePath: file))
        #expect(try redis.sentinelPassword() == "please")
        #expect(try redis.password() == nil)
        let plain = try Config(json: Array(sentinel("").utf8), environment: [:]).redis
        #expect(try plain.sentinelUser == nil && plain.sentinelPassword() == nil)
        let stranger =
            "is given, and redis.url names no sentinels: give a redis+sentinel:// address"
        #expect(
            problems(sentinel(both, url: "redis://cache")) == ["redis.sentinel \(stranger)"])
        #expect(
            problems(sentinel(#""username":"asker""#)) == [
                "redis.sentinel.passwordFile is missing: username needs its password"
            ])
    }
}
