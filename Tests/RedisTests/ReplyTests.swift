import Testing
import Walk

@testable import Redis

struct ReplyErrorTests {
    struct Example: Sendable {
        let line: String
        let kind: SinkError.Kind
        let ends: Bool

        init(_ line: String, _ kind: SinkError.Kind, ends: Bool = false) {
            (self.line, self.kind, self.ends) = (line, kind, ends)
        }
    }

    @Test(arguments: [
        Example("LOADING Redis is loading the dataset in memory", .unavailable),
        Example("OOM command not allowed when used memory > 'maxmemory'.", .full),
        Example("BUSY Redis is busy running a script.", .unavailable),
        Example("MISCONF Errors writing to the AOF file: No space left", .unavailable),
        Example("NOREPLICAS Not enough good replicas to write.", .unavailable),
        Example("CLUSTERDOWN The cluster is down", .unavailable),
        Example("TRYAGAIN Multiple keys request during rehashing of slot", .unavailable),
        Example("READONLY You can't write against a read only replica.", .unavailable, ends: true),
        Example("MASTERDOWN Link with MASTER is down", .unavailable, ends: true),
        Example("MOVED 3999 127.0.0.1:6381", .denied, ends: true),
        Example("ASK 3999 127.0.0.1:6381", .denied, ends: true),
        Example("REDIRECT 127.0.0.1:6381", .denied, ends: true),
        Example("ERR max number of clients reached", .unavailable, ends: true),
        Example("NOAUTH Authentication required.", .denied, ends: true),
        Example("WRONGPASS invalid username-password pair", .denied, ends: true),
        Example("DENIED Redis is running in protected mode", .denied, ends: true),
        Example("NOPERM No permissions to access a key", .denied),
        Example("ERR Protocol error: invalid bulk length", .refused, ends: true),
        Example("WRONGTYPE Operation against a key holding the wrong kind", .refused),
        Example("ERR syntax error", .refused), Example("ERR", .refused), Example("", .refused),
        Example("CROSSSLOT Keys in request don't hash to the same slot", .denied, ends: true),
        Example("EXECABORT Transaction discarded because of: OOM command not allowed.", .full),
        Example("loading is not a code", .refused),
    ])
    func `a refusal has one meaning`(example: Example) {
        let error = ReplyError(example.line)
        #expect(error.verdict.kind == example.kind)
        #expect(error.verdict.endsConnection == example.ends)
        #expect(error.sinkError(for: "SET").kind == example.kind)
    }

    @Test func `a refusal never shows the arguments that the server quotes`() {
        let error = ReplyError("ERR unknown command 'SET', with args beginning with: 'k' 'hush' ")
        #expect("\(error.sinkError(for: "SET"))" == "Redis refused SET (ERR unknown command 'SET')")
    }

    /// Any number of accents makes one character, and a code is of no length that the protocol bounds.
    @Test(arguments: [
        "ERR \(String(repeating: "x", count: 100_000))",
        "ERR e\(String(repeating: "\u{301}", count: 100_000))",
        String(repeating: "A", count: 100_000),
        "ERR a\u{b}b\u{1b}[2J\u{7f}c",
    ])
    func `a refusal of any length is a line that a log can bear`(line: String) {
        let text = "\(ReplyError(line).sinkError(for: "SET"))"
        #expect(text.utf8.count < 500)
        #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
    }
}

struct ReplyReaderTests {
    private func replies(to text: String, chunk: Int) throws -> [Reply] {
        let reader = ReplyReader()
        var replies: [Reply] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(chunk))
            rest = rest.dropFirst(chunk)
            try part.withUnsafeBytes { try reader.feed($0) }
            while let reply = try reader.next() { replies.append(reply) }
        }
        return replies
    }

    @Test(arguments: [1, 2, 7, 1_000])
    func `replies are read however their bytes come in`(chunk: Int) throws {
        let text =
            "+OK\r\n:-42\r\n$5\r\na\0\r\nb\r\n$0\r\n\r\n$-1\r\n*-1\r\n-READONLY no\r\n"
            + "*3\r\n:1\r\n*1\r\n$1\r\nx\r\n-ERR y\r\n*0\r\n"
        #expect(
            try replies(to: text, chunk: chunk) == [
                .status("OK"), .integer(-42), .bytes([97, 0, 13, 10, 98]), .bytes([]), .null, .null,
                .error(ReplyError("READONLY no")),
                .array([.integer(1), .array([.bytes([120])]), .error(ReplyError("ERR y"))]),
                .array([]),
            ])
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP server"), ("\u{15}\u{3}\u{3}\0\u{2}", "TLS"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "does not speak"), (":12a\r\n", "Bad integer"),
        ("+OK\r\n%1\r\n", "cannot be read"),
    ])
    func `what is not the protocol is named`(text: String, words: String) {
        let error = #expect(throws: SinkError.self) { try replies(to: text, chunk: 3) }
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    /// The parser would lay out 16 GiB for the first one, and 8 MiB for each list inside the second one.
    @Test(arguments: [
        "*2147483647\r\n",
        "*3\r\n:1\r\n" + String(repeating: "*1000000\r\n", count: 2),
    ])
    func `a list that is longer than any that is asked for is refused when it is announced`(
        text: String
    ) {
        let error = #expect(throws: SinkError.self) { try replies(to: text, chunk: 1_000) }
        #expect(error?.kind == .unavailable)
        #expect(error?.message == "a reply has more than 1048576 elements")
    }

    @Test func `each reply may have as many elements as the one before`() throws {
        let list = "*400000\r\n" + String(repeating: ":1\r\n", count: 400_000)
        let replies = try replies(to: list + list + list, chunk: 1 << 20)
        #expect(
            replies.map { if case .array(let list) = $0 { list.count } else { 0 } } == [
                400_000, 400_000, 400_000,
            ])
    }

    @Test func `a reply that never ends is given up`() throws {
        let reader = ReplyReader()
        let part = [UInt8](repeating: 97, count: 1 << 20)
        try Array("$500000000\r\n".utf8).withUnsafeBytes { try reader.feed($0) }
        #expect(throws: SinkError.self) {
            for _ in 0...64 { try part.withUnsafeBytes { try reader.feed($0) } }
        }
    }
}

struct ServerInfoTests {
    @Test func `the fields that matter are found in INFO`() {
        let info = ServerInfo(
            info: """
                # Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:100\r\nmaxmemory:200\r
                maxmemory_policy:noeviction\r\n# Replication\r\nrole:slave\r\nslave_read_only:1\r\n
                """)
        #expect(info.version == "Redis 7.0.15")
        #expect(info.role == "slave")
        #expect(info.isReadOnlyReplica)
        #expect(info.maxmemoryPolicy == "noeviction")
        #expect(!ServerInfo(info: "role:slave\r\nslave_read_only:0").isReadOnlyReplica)
        #expect(
            ServerInfo(info: "redis_version:7.2.4\nvalkey_version:8.1.0").version == "Valkey 8.1.0")
        #expect(ServerInfo(info: "").role == nil)
    }
}
