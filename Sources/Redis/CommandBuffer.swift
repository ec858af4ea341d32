import Records

/// Commands encoded one after the other, ready to be sent: each an array of bulk strings (RESP).
struct CommandBuffer: Sendable {
    /// The encoded commands.
    private(set) var bytes: [UInt8] = []
    /// The number of commands, and so of the replies to come.
    private(set) var count = 0

    /// The most commands that are sent together.
    static let countMax = 1_000
    /// The most bytes that are sent together, unless a single batch is longer.
    static let bytesMax = 1 << 20

    /// A buffer without commands.
    init() {}

    /// A buffer with the given commands, each a name and its arguments.
    init(_ commands: [[String]]) {
        for command in commands { append(command) }
    }

    /// Adds a command: its name and arguments as text.
    mutating func append(_ words: [String]) {
        precondition(!words.isEmpty, "a command has a name")
        appendHeader("*", words.count)
        for word in words {
            appendHeader("$", word.utf8.count)
            bytes.append(contentsOf: word.utf8)
            bytes.append(contentsOf: [0x0D, 0x0A])
        }
        count += 1
    }

    /// Adds the changes in `range`, and returns the names of the commands: MSET of the keys that have a value, DEL of those
    /// that have none any more.
    mutating func append(_ changes: ChangeSet, in range: Range<Int>) -> [String] {
        var names: [String] = []
        let removed = changes.changes[range].count { $0.value == .removed }
        if removed < range.count {
            appendHeader("*", 1 + 2 * (range.count - removed))
            bytes.append(contentsOf: Self.set)
            changes.forEach(in: range) { key, value in
                guard let value else { return }
                appendBulk(key)
                appendBulk(value)
            }
            count += 1
            names.append("MSET")
        }
        if removed > 0 {
            appendHeader("*", 1 + removed)
            bytes.append(contentsOf: Self.delete)
            changes.forEach(in: range) { key, value in
                if value == nil { appendBulk(key) }
            }
            count += 1
            names.append("DEL")
        }
        return names
    }

    /// Adds commands that are encoded already.
    mutating func append(_ other: CommandBuffer) {
        bytes.append(contentsOf: other.bytes)
        count += other.count
    }

    /// Whether so much can be added without passing a bound; an empty buffer takes any.
    func hasRoom(commands: Int, bytes: Int) -> Bool {
        count == 0
            || (count + commands <= Self.countMax && self.bytes.count + bytes <= Self.bytesMax)
    }

    /// Forgets the commands; keeps the memory unless a long command has made it grow.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= 2 * Self.bytesMax)
        count = 0
    }

    private static let set = Array("$4\r\nMSET\r\n".utf8)
    private static let delete = Array("$3\r\nDEL\r\n".utf8)

    private mutating func appendBulk(_ content: UnsafeRawBufferPointer) {
        appendHeader("$", content.count)
        bytes.append(contentsOf: content)
        bytes.append(contentsOf: [0x0D, 0x0A])
    }

    private mutating func appendHeader(_ type: Unicode.Scalar, _ number: Int) {
        bytes.append(UInt8(ascii: type))
        bytes.append(contentsOf: String(number).utf8)
        bytes.append(contentsOf: [0x0D, 0x0A])
    }
}
