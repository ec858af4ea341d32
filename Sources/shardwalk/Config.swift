import FoundationEssentials
import Glibc
import Logging
import Records
import Redis
import Walk

/// The configuration: every key, its default and its bounds, as config.example.json lists them.
struct Config: Sendable {
    /// How AWS is called; what is nil is left to the SDKs' own environment variables and profile files.
    struct AWS: Sendable {
        /// The region; nil takes it from the environment, the profile or the stream's name.
        var region: String?
        /// One address for table and stream calls, for emulators and interface endpoints.
        var endpoint: String?
        /// The profile of the shared files.
        var profile: String?
        /// The proxy for AWS; nil takes the environment's.
        var proxy: String?
        /// A file with the certificates to trust in place of the system's.
        var caBundle: String?
        /// How many connections may be open at once.
        var connections: Int
        /// How long a connection may take to be made.
        var connectTimeout: Duration
        /// How long a call may take in all.
        var requestTimeout: Duration
        /// How many DescribeStream calls a second all streams make together, at the most.
        var describeCallsPerSecond: Int
    }

    /// One stream to follow.
    struct Stream: Sendable {
        /// How the stream is named.
        enum Origin: Hashable, Sendable, CustomStringConvertible {
            /// The latest stream of a table.
            case table(String)
            /// One stream, and none that replaces it.
            case arn(StreamARN)

            /// The table that is followed.
            var table: String {
                switch self {
                case .table(let name): name
                case .arn(let arn): arn.table
                }
            }

            var description: String {
                switch self {
                case .table(let name): "table \(name)"
                case .arn(let arn): "stream \(arn)"
                }
            }
        }

        /// How the stream is named.
        var origin: Origin
        /// Where it is read from when nothing is remembered of it.
        var start: StartPosition
        /// The cache's key for an item; nil joins the key attributes by colons.
        var key: KeyTemplate?
    }

    /// The daemon's name: its checkpoint's and its connections'.
    var name: String
    /// How AWS is called.
    var aws: AWS
    /// The streams, one at least.
    var streams: [Stream]
    /// The server and how to log in.
    var redis: RedisConfiguration
    /// What is done when Redis was emptied.
    var onCacheLoss: CacheLossPolicy
    /// The login by IAM; nil for one by password, or for none.
    var iam: IAM?
    /// Where the checkpoint is kept.
    var checkpointDirectory: String
    /// How often the checkpoint is saved at the most.
    var checkpointBeat: Duration
    /// The pauses between polls that bring nothing.
    var idle: IdlePause
    /// The bytes of pages that are held at once, over all shards.
    var pageBytes: Int
    /// The least severe events that are logged.
    var logLevel: Logger.Level
    /// The form of the log.
    var logFormat: LineLog.Format
}

/// A configuration that can't be used: everything that is wrong with it.
struct ConfigError: Error, Equatable {
    /// One line each, with the path in the file.
    let problems: [String]

    /// Some problems in words that may quote the file, with whatever is in it.
    init(problems: [String]) { self.problems = problems.map { $0.line(bytesMax: 1_000) } }
}

extension Config {
    /// The largest file that is taken for a configuration.
    private static let sizeMaximum = 1 << 20

    /// Reads the configuration file at `path`.
    ///
    /// - Throws: `Stop` with the exit code for configurations, naming every problem at once.
    static func load(_ path: String, environment: [String: String]) throws(Stop) -> Config {
        try read(path) { bytes throws(ConfigError) in
            try Config(json: bytes, environment: environment)
        }
    }

    /// Reads from the configuration file at `path` where the checkpoint is, and nothing else: who looks at the checkpoint
    /// needs no secrets.
    ///
    /// - Throws: `Stop` with the exit code for configurations.
    static func checkpointPlace(
        _ path: String, environment: [String: String]
    ) throws(Stop) -> (directory: String, name: String) {
        try read(path) { bytes throws(ConfigError) in
            let reader = ConfigReader(try object(bytes))
            let name = name(reader)
            let (directory, _) = reader.section("checkpoint") { checkpoint($0, environment) }
            guard reader.problems.isEmpty else { throw ConfigError(problems: reader.problems) }
            return (directory, name)
        }
    }

    private static func read<Value>(
        _ path: String, _ decode: ([UInt8]) throws(ConfigError) -> Value
    ) throws(Stop) -> Value {
        let bytes: [UInt8]
        do throws(FileError) {
            guard let content = try MountedFile.read(path, limit: sizeMaximum) else {
                throw FileError(.openRead, path, errno: ENOENT)
            }
            bytes = content
        } catch {
            throw Stop(
                .configuration, "the configuration can't be read: \(error)",
                advice: error.errno == EACCES
                    ? "make it readable for the user that runs shardwalk"
                    : "name a configuration file with --config; docs/configuration.md explains all keys"
            )
        }
        do throws(ConfigError) {
            return try decode(bytes)
        } catch {
            throw Stop(
                .configuration,
                "\(path) has \(error.problems.count == 1 ? "a mistake" : "\(error.problems.count) mistakes"):"
                    + error.problems.map { "\n  \($0)" }.joined(),
                advice: "mend the file; docs/configuration.md explains all keys")
        }
    }

    /// Reads a configuration.
    ///
    /// - Throws: Everything that is wrong with it.
    init(json bytes: [UInt8], environment: [String: String]) throws(ConfigError) {
        let reader = ConfigReader(try Self.object(bytes))
        name = Self.name(reader)
        aws = reader.section("aws", AWS.init)
        streams = Self.streams(reader)
        let (redis, holdsPositions, onCacheLoss) = reader.section("redis") {
            (
                Self.redis($0, environment), $0.flag("positions", default: true),
                $0.word("onCacheLoss", default: CacheLossPolicy.rewind)
            )
        }
        self.onCacheLoss = onCacheLoss
        (checkpointDirectory, checkpointBeat) = reader.section("checkpoint") {
            Self.checkpoint($0, environment)
        }
        idle = reader.section("idle", Self.idle)
        pageBytes =
            reader.section("memory") { $0.integer("pagesMegabytes", in: 4...4_096, default: 32) }
            << 20
        (logLevel, logFormat) = reader.section("log") {
            ($0.word("level", default: Logger.Level.info), $0.word("format", default: .text))
        }
        reader.finish()
        guard reader.problems.isEmpty, let redis else {
            throw ConfigError(problems: reader.problems)
        }
        (self.redis, iam) = redis
        self.redis.clientName = "shardwalk:\(name)"
        self.redis.positionsName = holdsPositions ? name : nil
    }

    /// The object that the text of a configuration is.
    private static func object(_ bytes: [UInt8]) throws(ConfigError) -> [String: JSONValue] {
        let json: JSONValue
        do {
            json = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        } catch {
            throw ConfigError(problems: ["the file is not JSON: \(reason(error, bytes))"])
        }
        guard case .object(let values) = json else {
            throw ConfigError(problems: ["the file is \(json.kind): give an object"])
        }
        return values
    }

    private static func name(_ reader: ConfigReader) -> String {
        guard let name = reader.string("name") else { return "shardwalk" }
        // The name becomes part of a path and of a client name: it can't lead anywhere else.
        let isPlain = name.utf8.allSatisfy { $0.isLetterOrDigit || "-_.".utf8.contains($0) }
        if !isPlain || name.hasPrefix(".") || !(1...64).contains(name.utf8.count) {
            reader.wrong(
                "name",
                "is not a name: give 1 to 64 letters, digits, - _ . that do not begin with a dot")
        }
        return name
    }

    private static func streams(_ reader: ConfigReader) -> [Stream] {
        var seen: Set<String> = []
        let streams = reader.list("streams") { entry -> Stream? in
            let stream = stream(entry)
            // A table and one of its streams are the same records as well, and can't be told apart later.
            if let stream, !seen.insert(stream.origin.table).inserted {
                entry.wrong("names table \(stream.origin.table) a second time: follow it once")
            }
            return stream
        }
        if streams.isEmpty, reader.problems.allSatisfy({ !$0.hasPrefix("streams") }) {
            reader.wrong("streams", "is empty: name one stream at least, by table or by arn")
        }
        return streams.compactMap(\.self)
    }

    private static func stream(_ entry: ConfigReader) -> Stream? {
        let table = entry.string("table")
        let name = entry.string("arn")
        let start = entry.word("start", default: StartPosition.trimHorizon)
        var key: KeyTemplate?
        if let text = entry.string("key") {
            do throws(InvalidKeyTemplate) {
                key = try KeyTemplate(text)
            } catch {
                entry.wrong("key", "can't be used: \(error)")
            }
        }
        switch (table, name) {
        case (let table?, nil):
            // 3 to 255 of these characters: DynamoDB's own rule for table names.
            let isTable =
                (3...255).contains(table.utf8.count)
                && table.utf8.allSatisfy { $0.isLetterOrDigit || "-_.".utf8.contains($0) }
            if !isTable {
                entry.wrong("table", "is no table's name: give 3 to 255 letters, digits, - _ .")
            }
            return Stream(origin: .table(table), start: start, key: key)
        case (nil, let name?):
            guard let arn = StreamARN(name) else {
                entry.wrong(
                    "arn",
                    "is no stream's ARN: give arn:<partition>:dynamodb:<region>:<account>:table/<table>/stream/<label>"
                )
                return nil
            }
            return Stream(origin: .arn(arn), start: start, key: key)
        case (nil, nil): entry.wrong("names no stream: give table or arn")
        case (_?, _?): entry.wrong("gives both table and arn: give one of them")
        }
        return nil
    }

    private static func redis(
        _ section: ConfigReader, _ environment: [String: String]
    ) -> (RedisConfiguration, IAM?)? {
        let connect = section.integer("connectTimeoutSeconds", in: 1...120, default: 5)
        let command = section.integer("commandTimeoutSeconds", in: 1...120, default: 10)
        let passwordFile = section.string("passwordFile")
        let iam = section.section("iam", IAM.init)
        let tls = section.section("tls", Self.tls)
        let sentinel = section.section("sentinel", Self.sentinel)
        let fromFile = section.string("url")
        guard let text = environment.nonEmpty("SHARDWALK_REDIS_URL") ?? fromFile else {
            section.wrong("url", "is missing: give redis://host:port/db, or rediss:// for TLS")
            return nil
        }
        do {
            let address = try RedisAddress(Placeholders.expand(text, environment))
            if tls != RedisTLS(), !address.isSecure {
                section.wrong(
                    "tls", "is given, and redis.url asks for no TLS: give a rediss:// address")
            }
            if address.password != nil, passwordFile != nil {
                section.wrong(
                    "passwordFile", "is given beside a password in url: give one of them")
            }
            if iam != nil { checkIAM(section, address, passwordFile: passwordFile) }
            var redis = RedisConfiguration(address: address)
            redis.tls = tls
            if let passwordFile {
                redis.password = {
                    try PasswordFile.read(passwordFile, key: "redis.passwordFile")
                }
            }
            if let file = sentinel.passwordFile {
                if case .sentinels = address.place {
                    redis.sentinelUser = sentinel.username
                    redis.sentinelPassword = {
                        try PasswordFile.read(file, key: "redis.sentinel.passwordFile")
                    }
                } else {
                    section.wrong(
                        "sentinel",
                        "is given, and redis.url names no sentinels: give a redis+sentinel:// address"
                    )
                }
            }
            redis.connectTimeout = .seconds(connect)
            redis.commandTimeout = .seconds(command)
            return (redis, iam)
        } catch let error as Placeholders.Failure {
            section.wrong("url", "\(error)")
        } catch {
            section.wrong("url", "can't be used: \(error)")
        }
        return nil
    }

    /// The login of sentinels, which without a password file is none.
    private static func sentinel(
        _ section: ConfigReader
    ) -> (username: String?, passwordFile: String?) {
        let username = section.string("username")
        let passwordFile = section.string("passwordFile")
        if username != nil, passwordFile == nil {
            section.wrong("passwordFile", "is missing: username needs its password")
        }
        return (username, passwordFile)
    }

    private static func tls(_ section: ConfigReader) -> RedisTLS {
        var tls = RedisTLS()
        tls.caFile = section.string("caFile")
        tls.caDirectory = section.string("caDirectory")
        tls.certificateFile = section.string("certificateFile")
        tls.keyFile = section.string("keyFile")
        tls.serverName = section.string("serverName")
        tls.skipsVerification = section.flag("skipVerification")
        let paths = [
            ("caFile", tls.caFile), ("caDirectory", tls.caDirectory),
            ("certificateFile", tls.certificateFile), ("keyFile", tls.keyFile),
        ]
        for case (let key, let path?) in paths where path.isEmpty || path.utf8.contains(0) {
            section.wrong(key, "is no path: name a file, or leave it out")
        }
        if let name = tls.serverName,
            name.isEmpty || name.hasPrefix(".") || name.utf8.count > 253
                || name.utf8.contains(where: { $0 <= 0x20 })
        {
            section.wrong("serverName", "is no name: give the one that the certificate is for")
        }
        switch (tls.certificateFile, tls.keyFile) {
        case (_?, nil): section.wrong("keyFile", "is missing: certificateFile needs its key")
        case (nil, _?): section.wrong("certificateFile", "is missing: keyFile is the key to one")
        case (nil, nil), (_?, _?): break
        }
        return tls
    }

    private static func checkpoint(
        _ section: ConfigReader, _ environment: [String: String]
    ) -> (String, Duration) {
        let beat = section.integer("saveEverySeconds", in: 1...60, default: 1)
        let fromFile = section.string("directory")
        let directory =
            environment.nonEmpty("SHARDWALK_CHECKPOINT_DIRECTORY") ?? fromFile
            ?? environment.nonEmpty("STATE_DIRECTORY") ?? "/var/lib/shardwalk"
        if !directory.hasPrefix("/") || directory.utf8.contains(0) {
            section.wrong("directory", "is not absolute: give a path that begins with /")
        }
        return (directory, .seconds(beat))
    }

    private static func idle(_ section: ConfigReader) -> IdlePause {
        let bounds = 50...60_000
        let minimum = section.integer("minimumMilliseconds", in: bounds, default: 250)
        let maximum = section.integer(
            "maximumMilliseconds", in: bounds, default: max(1_000, minimum))
        if maximum < minimum {
            section.wrong(
                "maximumMilliseconds", "is \(maximum): give no less than idle.minimumMilliseconds")
        }
        let polls = section.integer("pollsPerSecond", in: 10...100_000, default: 2_000)
        return IdlePause(
            minimum: .milliseconds(minimum), maximum: .milliseconds(max(minimum, maximum)),
            pollsPerSecond: polls)
    }

    private static func reason(_ error: any Error, _ bytes: [UInt8]) -> String {
        if let malformed = MalformedJSON.first(in: bytes) {
            let before = bytes[..<malformed.offset]
            let line = before.count { $0 == UInt8(ascii: "\n") } + 1
            let column = before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count + 1
            return "\(malformed.problem.rawValue), at line \(line), column \(column)"
        }
        // Well-formed, and yet not to be read: a number that is too large, or half a surrogate pair.
        guard case DecodingError.typeMismatch(_, let context) = error else {
            return "it holds a value that can't be read"
        }
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return "the value of \(path) can't be read"
    }
}

extension Config.AWS {
    /// Reads the section.
    fileprivate init(_ section: ConfigReader) {
        region = section.string("region")
        endpoint = section.string("endpoint")
        profile = section.string("profile")
        proxy = section.string("proxy")
        caBundle = section.string("caBundle")
        connections = section.integer("connections", in: 1...1_024, default: 64)
        connectTimeout = .seconds(
            section.integer("connectTimeoutSeconds", in: 1...120, default: 5))
        requestTimeout = .seconds(
            section.integer("requestTimeoutSeconds", in: 1...120, default: 30))
        describeCallsPerSecond = section.integer("describeCallsPerSecond", in: 1...10, default: 5)
        if let endpoint {
            // Requests go to the root path, which is what is signed.
            let parts = URLComponents(string: endpoint)
            let isAddress =
                ["http", "https"].contains(parts?.scheme) && parts?.host?.isEmpty == false
                && ["", "/"].contains(parts?.path) && parts?.query == nil
            if !isAddress {
                section.wrong(
                    "endpoint",
                    "is no address: give http://host:port or https://host, without a path")
            }
        }
    }
}

extension UInt8 {
    /// Whether the byte is an ASCII letter or digit.
    var isLetterOrDigit: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
    }
}

extension [String: String] {
    /// The value of a variable that is set and not empty: an empty one counts as not set.
    fileprivate func nonEmpty(_ key: String) -> String? {
        self[key].flatMap { $0.isEmpty ? nil : $0 }
    }
}
