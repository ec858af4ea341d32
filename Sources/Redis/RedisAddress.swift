/// Where a Redis server is, which of its databases is meant, and as whom to log in.
///
/// Written as `redis://[user[:password]@]host[:port][/database]` (IANA's provisional scheme `redis`); or for a socket of
/// this machine as `unix://[user[:password]@]/path[?db=database]`, the form of redis-py and node-redis; `redis+unix` and
/// Lettuce's `redis-socket` mean the same; or for a primary that sentinels know as
/// `redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/database]`. With `rediss` in place of `redis`
/// all connections go through TLS. Everything may be percent-encoded.
package struct RedisAddress: Hashable, Sendable {
    /// What to connect to.
    package enum Place: Hashable, Sendable {
        /// A name or an address, and a port.
        case tcp(host: String, port: UInt16)
        /// The absolute path of a socket.
        case unix(path: String)
        /// The sentinels that know where the primary is, and the name that they have for it.
        case sentinels([Node], master: String)
    }

    /// One of several servers.
    package struct Node: Hashable, Sendable, CustomStringConvertible {
        /// A name or an address.
        package let host: String
        /// The port.
        package let port: UInt16

        /// A server at a port of a host.
        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }

        package var description: String {
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// The most sentinels that are asked.
    private static let sentinelsMax = 16

    /// What to connect to.
    package let place: Place
    /// Whether the connection goes through TLS.
    package let isSecure: Bool
    /// The ACL user; nil for the server's default user.
    package let user: String?
    /// The password that was part of the text; never printed.
    package let password: String?
    /// The number of the database, 0 unless the text says otherwise.
    package let database: Int

    /// Takes an address apart.
    ///
    /// - Throws: What is wrong with it, without quoting any part that might be a secret.
    package init(_ text: String) throws(RedisAddressError) {
        guard let separator = text.firstRange(of: "://") else { throw .noScheme }
        let rest = text[separator.upperBound...]
        guard !rest.contains("#") else { throw .fragment }
        let scheme = text[..<separator.lowerBound].lowercased()
        isSecure = scheme.hasPrefix("rediss")
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let host: Substring
        switch scheme {
        case "redis", "rediss":
            (user, password, host) = try Self.credentials(ofAuthority: rest[..<end])
            let node = try Self.node(host, defaultPort: 6_379)
            place = .tcp(host: node.host, port: node.port)
            database = try Self.database(inPath: rest[end...])
        case "redis+sentinel", "rediss+sentinel":
            (user, password, host) = try Self.credentials(ofAuthority: rest[..<end])
            let hosts = host.split(separator: ",", omittingEmptySubsequences: false)
            guard hosts.count <= Self.sentinelsMax else { throw .sentinels }
            let nodes = try hosts.map { text throws(RedisAddressError) in
                try Self.node(text, defaultPort: 26_379)
            }
            let path = rest[end...].drop { $0 == "/" }
            let masterEnd = path.firstIndex { $0 == "/" || $0 == "?" } ?? path.endIndex
            guard masterEnd > path.startIndex else { throw .master }
            place = .sentinels(nodes, master: try Self.name(path[..<masterEnd]))
            database = try Self.database(inPath: path[masterEnd...])
        case "unix", "redis+unix", "redis-socket":
            let start = rest.first == "/" ? rest.startIndex : rest.firstRange(of: "@/")?.lowerBound
            guard let start else { throw .path }
            let (authority, path) = (rest[..<start], rest[start...].drop { $0 == "@" })
            (user, password, _) = try Self.credentials(ofAuthority: authority + "@")
            let end = path.firstIndex(of: "?") ?? path.endIndex
            place = .unix(path: try Self.name(path[..<end]))
            database = try Self.database(inQuery: path[end...].dropFirst()) ?? 0
        default: throw .noScheme
        }
    }

    /// Splits `user:password@host`.
    private static func credentials(
        ofAuthority text: Substring
    ) throws(RedisAddressError) -> (user: String?, password: String?, host: Substring) {
        guard let at = text.lastIndex(of: "@") else { return (nil, nil, text) }
        let parts = text[..<at].split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let user = try decoded(parts[0])
        let password = parts.count > 1 ? try decoded(parts[1]) : nil
        return (user.isEmpty ? nil : user, password, text[text.index(after: at)...])
    }

    /// Splits `host:port`, the host perhaps an IPv6 address in brackets.
    private static func node(
        _ text: Substring, defaultPort: UInt16
    ) throws(RedisAddressError) -> Node {
        let host: Substring
        let rest: Substring
        if text.first == "[" {
            guard let bracket = text.firstIndex(of: "]") else { throw .host }
            host = text[..<bracket].dropFirst()
            rest = text[text.index(after: bracket)...]
        } else {
            let colon = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<colon]
            rest = text[colon...]
        }
        guard !host.isEmpty else { throw .host }
        guard !rest.isEmpty else { return Node(host: try name(host), port: defaultPort) }
        guard rest.first == ":", let port = number(rest.dropFirst(), below: 65_536), port > 0 else {
            throw .port
        }
        return Node(host: try name(host), port: UInt16(port))
    }

    /// The database that `/0` or `?db=0` names; 0 where neither is there.
    private static func database(inPath text: Substring) throws(RedisAddressError) -> Int {
        let mark = text.firstIndex(of: "?") ?? text.endIndex
        let fromQuery = try database(inQuery: text[mark...].dropFirst())
        let path = text[..<mark].drop { $0 == "/" }
        guard !path.isEmpty else { return fromQuery ?? 0 }
        guard fromQuery == nil, let fromPath = number(path, below: 1 << 31) else { throw .database }
        return fromPath
    }

    private static func database(inQuery text: Substring) throws(RedisAddressError) -> Int? {
        guard !text.isEmpty else { return nil }
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "db" || parts[0] == "database" else { throw .parameter }
        guard let number = number(parts[1], below: 1 << 31) else { throw .database }
        return number
    }

    private static func number(_ digits: Substring, below limit: Int) -> Int? {
        guard (1...10).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(digits), number < limit
        else { return nil }
        return number
    }

    /// A decoded text that is told in messages and so has to be one line.
    private static func name(_ text: Substring) throws(RedisAddressError) -> String {
        let name = try decoded(text)
        guard name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw .control
        }
        return name
    }

    /// The text that `text` stands for when `%40` and the like are read.
    private static func decoded(_ text: Substring) throws(RedisAddressError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexadecimal),
                let low = rest.popFirst().flatMap(hexadecimal)
            else { throw .percent }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .percent
        }
        return decoded
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8? {
        Character(UnicodeScalar(digit)).hexDigitValue.map(UInt8.init)
    }
}

extension RedisAddress: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The address without user and password.
    package var description: String {
        let scheme = isSecure ? "rediss" : "redis"
        switch place {
        case .tcp(let host, let port):
            return "\(scheme)://\(Node(host: host, port: port))/\(database)"
        case .unix(let path):
            return "unix://\(path)?db=\(database)"
        case .sentinels(let nodes, let master):
            let list = nodes.map(\.description).joined(separator: ",")
            return "\(scheme)+sentinel://\(list)/\(master)/\(database)"
        }
    }

    package var debugDescription: String { description }

    /// No children: a dump shows no password either.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A text that is not the address of a Redis server.
package enum RedisAddressError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It begins with no scheme, or with one that is not known.
    case noScheme
    /// The host is missing or malformed.
    case host
    /// There are too many sentinels.
    case sentinels
    /// Sentinels are named, and no primary that they know.
    case master
    /// The port is not a number from 1 to 65535.
    case port
    /// The path of a socket is not absolute.
    case path
    /// The database is not a number, or is given twice.
    case database
    /// There is a parameter other than the database.
    case parameter
    /// There is a control character in what is no password.
    case control
    /// There is a `#`.
    case fragment
    /// A percent sign is not followed by two hexadecimal digits, or they do not make text.
    case percent

    /// What is wrong and how it should look; never a part of the text.
    package var description: String {
        let encode = "; a special character in user or password is written as %40 and the like"
        switch self {
        case .noScheme:
            return
                "it begins with none of redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://"
        case .host:
            return "it has no host, as in redis://cache.example:6379/0\(encode)"
        case .sentinels:
            return "it names more than 16 sentinels"
        case .master:
            return
                "it names no primary, as in redis+sentinel://a.example:26379,b.example:26379/mymaster/0"
                + encode
        case .port:
            return
                "its port is not a number from 1 to 65535 (an IPv6 address is written in brackets)"
                + encode
        case .path:
            return "a socket is named by its absolute path, as in unix:///run/redis/redis.sock?db=0"
        case .database:
            return "its database is not one number, as in redis://cache.example:6379/0\(encode)"
        case .parameter:
            return "the only parameter that is known after ? is db\(encode)"
        case .control:
            return "there is a control character in the name of a host, a path or a primary"
        case .fragment:
            return "it contains #\(encode)"
        case .percent:
            return "a percent sign is not followed by two hexadecimal digits that stand for text"
        }
    }
}
