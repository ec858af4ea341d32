import FoundationEssentials
import Glibc
import Redis
import Walk

/// Shows the demo's table, stream and cache side by side, and compares them.
struct DemoBoard: Sendable {
    private let seconds: Int
    private let cache: RedisSink
    private let begun = ContinuousClock.now

    /// A board for a demo of so many seconds; `cache` is a connection of its own to the cache.
    init(seconds: Int, cache: RedisSink) {
        self.seconds = seconds
        self.cache = cache
    }

    /// Shows the figures until the task is cancelled: a block that changes on a terminal, lines elsewhere.
    func show(_ progress: Progress, _ table: DemoTable) async {
        let isTerminal = Terminal.isTerminal(STDOUT_FILENO)
        var shownLines = 0
        while !Task.isCancelled {
            let lines = await lines(progress, table, isTerminal: isTerminal)
            if isTerminal {
                // Up over the block that was shown last; each line is cleared as it is written.
                let up = shownLines > 0 ? "\u{1B}[\(shownLines)A" : ""
                Terminal.write(
                    up + lines.map { "\u{1B}[K\($0)\n" }.joined(), to: STDOUT_FILENO)
                shownLines = lines.count
            } else {
                Terminal.print(lines.joined(separator: "; "))
            }
            try? await Task.sleep(for: isTerminal ? .milliseconds(250) : .seconds(1))
        }
    }

    /// Waits until the cache is what the table is, for 20 seconds at the most.
    func waitForEquality(with table: DemoTable) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end, !Task.isCancelled {
            if try await differences(table).isEmpty { return true }
            try await Task.sleep(for: .milliseconds(200))
        }
        return false
    }

    /// The last word: whether cache and table are equal, and in which items they are not.
    func verdict(on table: DemoTable) async throws -> String {
        let items = try await table.items()
        let differing = try await differences(table)
        guard differing.isEmpty else {
            return "DIFFERENT: \(differing.count) of \(items.count) items, among them "
                + differing.prefix(5).joined(separator: ", ")
        }
        return
            "EQUAL: \(items.count) items in the table, the same \(items.count) in the cache, after \(table.writes.count) writes"
    }

    /// Closes the board's own connection.
    func close() async { await cache.close() }

    /// The figures, and on a terminal the latest writes as table and cache have them.
    private func lines(
        _ progress: Progress, _ table: DemoTable, isTerminal: Bool
    ) async -> [String] {
        let elapsed = min(seconds, Int((ContinuousClock.now - begun).components.seconds))
        let figures = ProgressLine.Figures(progress, time: SystemClock().time)
        let writes = table.writes
        var lines = [
            "\(elapsed) of \(seconds) s",
            "table   \(writes.count) writes",
            "stream  \(figures.shards - figures.shardsDone) shards open, \(figures.shardsDone) finished",
            "cache   \(await keyCount()) keys, \(figures.records) records applied",
        ]
        guard isTerminal else { return lines }
        lines.append(Self.columns("item", "in the table", "in the cache"))
        for write in writes.last {
            let cached = await cachedVersion(of: write.id)
            lines.append(Self.columns(write.id, Self.words(write.version), cached))
        }
        return lines
    }

    private static func columns(_ item: String, _ table: String, _ cache: String) -> String {
        let pad = { (text: String, width: Int) in
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        return "  " + pad(item, 12) + pad(table, 16) + cache
    }

    private static func words(_ version: Int?) -> String {
        version.map { "version \($0)" } ?? "deleted"
    }

    private func keyCount() async -> String {
        guard let keys = try? await cachedKeys() else { return "?" }
        return "\(keys.count)"
    }

    private func cachedVersion(of id: String) async -> String {
        guard let reply = try? await cache.replies(to: [["GET", id]]).first else { return "?" }
        guard case .bytes(let bytes) = reply else { return Self.words(nil) }
        guard
            case .object(let item)? = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes)),
            case .object(let version)? = item["version"], case .string(let number)? = version["N"]
        else { return "?" }
        return Self.words(Int(number))
    }

    /// The ids of the items that the cache does not show as the table does.
    private func differences(_ table: DemoTable) async throws -> [String] {
        let items = try await table.items()
        let ids = Set(items.keys).union(try await cachedKeys()).sorted()
        guard !ids.isEmpty else { return [] }
        let values = try await cache.replies(to: ids.map { ["GET", $0] })
        return try zip(ids, values).compactMap { id, value -> String? in
            guard case .bytes(let bytes) = value else { return items[id] == nil ? nil : id }
            let cached = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
            return cached == items[id] ? nil : id
        }
    }

    private func cachedKeys() async throws -> [String] {
        guard case .array(let keys)? = try await cache.replies(to: [["KEYS", "*"]]).first else {
            return []
        }
        // The positions of the streams are no item's.
        return keys.compactMap(\.text).filter { !$0.hasPrefix("shardwalk:") }
    }
}
