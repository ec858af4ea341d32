import Testing

@testable import Redis

struct RedisAddressTests {
    struct Example: Sendable {
        let text: String
        let place: RedisAddress.Place
        var user: String?
        var password: String?
        var database = 0
        var isSecure = false
    }

    @Test(arguments: [
        Example(text: "redis://cache", place: .tcp(host: "cache", port: 6_379)),
        Example(text: "REDIS://cache:7000/", place: .tcp(host: "cache", port: 7_000)),
        Example(text: "redis://cache/3", place: .tcp(host: "cache", port: 6_379), database: 3),
        Example(text: "redis://cache?db=3", place: .tcp(host: "cache", port: 6_379), database: 3),
        Example(
            text: "redis://[::1]:7000/2", place: .tcp(host: "::1", port: 7_000), database: 2),
        Example(text: "redis://[fe80::1%25eth0]", place: .tcp(host: "fe80::1%eth0", port: 6_379)),
        Example(
            text: "redis://:secret@cache", place: .tcp(host: "cache", port: 6_379),
            password: "secret"),
        Example(
            text: "redis://walker@cache", place: .tcp(host: "cache", port: 6_379), user: "walker"),
        Example(
            text: "redis://wal%40ker:p%3Aa%2Fs%25s:x@cache:1/0",
            place: .tcp(host: "cache", port: 1), user: "wal@ker", password: "p:a/s%s:x"),
        Example(
            text: "redis://u:a@b@cache", place: .tcp(host: "cache", port: 6_379), user: "u",
            password: "a@b"),
        Example(
            text: "rediss://u:p@cache/1", place: .tcp(host: "cache", port: 6_379), user: "u",
            password: "p", database: 1, isSecure: true),
        Example(
            text: "RedisS://[::1]:7000", place: .tcp(host: "::1", port: 7_000), isSecure: true),
        Example(
            text: "redis+sentinel://cache/main",
            place: .sentinels([.init(host: "cache", port: 26_379)], master: "main")),
        Example(
            text: "rediss+sentinel://u:a,p@a:1,b,[::1]:2/ma%2Fin/3",
            place: .sentinels(
                [
                    .init(host: "a", port: 1), .init(host: "b", port: 26_379),
                    .init(host: "::1", port: 2),
                ], master: "ma/in"),
            user: "u", password: "a,p", database: 3, isSecure: true),
        Example(
            text: "redis+sentinel://a,b/main?db=4",
            place: .sentinels(
                [.init(host: "a", port: 26_379), .init(host: "b", port: 26_379)], master: "main"),
            database: 4),
        Example(text: "unix:///run/redis.sock", place: .unix(path: "/run/redis.sock")),
        Example(
            text: "unix:///run/a%20b@c.sock?db=1", place: .unix(path: "/run/a b@c.sock"),
            database: 1),
        Example(
            text: "redis+unix://u:p@/run/redis.sock?db=12", place: .unix(path: "/run/redis.sock"),
            user: "u", password: "p", database: 12),
        Example(
            text: "redis-socket:///run/redis.sock?database=2",
            place: .unix(path: "/run/redis.sock"), database: 2),
    ])
    func `an address is taken apart`(example: Example) throws {
        let address = try RedisAddress(example.text)
        #expect(address.place == example.place)
        #expect(address.user == example.user)
        #expect(address.password == example.password)
        #expect(address.database == example.database)
        #expect(address.isSecure == example.isSecure)
    }

    @Test(arguments: [
        ("cache:6379", RedisAddressError.noScheme), ("http://cache", .noScheme), ("", .noScheme),
        ("redis-sentinel://cache#name", .fragment), ("redis-sentinel://cache/name", .noScheme),
        ("redis+sentinel://cache", .master), ("redis+sentinel://cache/", .master),
        ("redis+sentinel://cache/?db=1", .master),
        ("redis+sentinel:///main", .host), ("redis+sentinel://a,/main", .host),
        ("redis+sentinel://a,b:0/main", .port), ("redis+sentinel://a/main/x", .database),
        ("redis+sentinel://a/main/1?db=1", .database), ("redis+sentinel://a/ma%in", .percent),
        (
            "redis+sentinel://\(String(repeating: "a,", count: 16))a/main", .sentinels
        ),
        ("redis://", .host), ("redis://:secret@", .host), ("redis:///0", .host),
        ("redis://:6379", .host), ("redis://[::1", .host),
        ("redis://cache:", .port), ("redis://cache:0", .port), ("redis://cache:65536", .port),
        ("redis://cache:+1", .port), ("redis://::1", .host), ("redis://fe80::1", .port),
        ("redis://[::1]6379", .port), ("redis://:pass/word@cache", .host),
        ("redis://cache/x", .database), ("redis://cache/0?db=1", .database),
        ("redis://cache/-1", .database), ("redis://cache/99999999999", .database),
        ("redis://cache?timeout=1", .parameter), ("redis://cache?db=1&db=2", .database),
        ("redis://cache#1", .fragment), ("redis://a%4@cache", .percent),
        ("redis://a%zz@cache", .percent), ("redis://a%ff@cache", .percent),
        ("redis://a%00@cache", .percent), ("redis://ca%0ache", .control),
        ("unix:///run/r\u{7f}.sock", .control), ("redis+sentinel://a/ma%1bin", .control),
        ("redis+sentinel://a,b%c2%85/main", .control),
        ("unix://run/redis.sock", .path), ("unix://", .path), ("unix:///s?x=1", .parameter),
    ])
    func `a malformed address is refused in words`(text: String, error: RedisAddressError) {
        #expect(throws: error) { try RedisAddress(text) }
        #expect(!error.description.isEmpty)
    }

    @Test(arguments: [
        "redis://walker:hush@cache:7000/2", "redis://walker:hush@[::1]:7000/2",
        "unix://walker:hush@/run/redis.sock?db=2", "rediss://walker:hush@cache:7000/2",
        "rediss+sentinel://walker:hush@a:1,[::1]/main/2",
    ])
    func `no way of printing an address shows who logs in`(text: String) throws {
        let address = try RedisAddress(text)
        var dumped = ""
        dump(RedisConfiguration(address: address), to: &dumped)
        let printed = "\(address) \(String(reflecting: address)) \([address]) \(dumped)"
        #expect(!printed.contains("hush"))
        #expect(!printed.contains("walker"))
        #expect(try RedisAddress(address.description).place == address.place)
        #expect(try RedisAddress(address.description).isSecure == address.isSecure)
        #expect(try RedisAddress(address.description).database == 2)
    }

    @Test(arguments: [
        "redis://walker:hu/sh@cache", "redis://walker:hu?sh=1@cache", "redis://walker:hu#sh@cache",
        "redis://walker:hu%sh@cache", "redis://walker:1?hush=1@cache", "hush", "hush://cache",
        "redis://walker:hush", "unix://walker:hush",
    ])
    func `no refusal quotes what might be a password`(text: String) {
        let error = #expect(throws: RedisAddressError.self) { try RedisAddress(text) }
        #expect(error?.description.contains("hu") == false)
    }
}
