import Records

/// Commands encoded one after the other, ready to be sent: each an array of bulk strings (RESP).
struct CommandBuffer: Sendable {
    /// The encoded commands.
    private(set) var bytes: [UInt8] = []
    /// The number of commands, and so of the replies to come.
    private(set) var count = 0

    /// The most commands that are sent together.
    static let countMax = 1_000
    /// The most bytes that are sent together, unless a single command is longer.
    static let bytesMax = 1 << 20
    /// What the framing of a SET takes beside its key and value, at the most.
    private static let framingBytesMax = 64

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

    /// Adds the changes in `range`: SET for a key that has a value, DEL for one that has none any more.
    mutating func append(_ changes: ChangeSet, in range: Range<Int>) {
        changes.forEach(in: range) { key, value in
            bytes.append(contentsOf: value == nil ? Self.delete : Self.set)
            appendBulk(key)
            if let value { appendBulk(value) }
        }
        count += range.count
    }

    /// Adds commands that are encoded already.
    mutating func append(_ other: CommandBuffer) {
        bytes.append(contentsOf: other.bytes)
        count += other.count
    }

    /// Whether a change can be added without passing a bound; an empty buffer takes any.
    func hasRoom(for change: ChangeSet.Change) -> Bool {
        let value =
            switch change.value {
            case .removed: 0
            case .page(let range), .owned(let range): range.count
            }
        return hasRoom(commands: 1, bytes: change.key.count + value + Self.framingBytesMax)
    }

    /// Whether commands can be added without passing a bound; an empty buffer takes any.
    func hasRoom(for other: CommandBuffer) -> Bool {
        hasRoom(commands: other.count, bytes: other.bytes.count)
    }

    private func hasRoom(commands: Int, bytes: Int) -> Bool {
        count == 0
            || (count + commands <= Self.countMax && self.bytes.count + bytes <= Self.bytesMax)
    }

    /// Forgets the commands; keeps the memory unless a long command has made it grow.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= 2 * Self.bytesMax)
        count = 0
    }

    private static let set = Array("*3\r\n$3\r\nSET\r\n".utf8)
    private static let delete = Array("*2\r\n$3\r\nDEL\r\n".utf8)

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
