import LocalRedis
import Logging
import Records
import Redis
import Synchronization
import TestBed
import Testing
import Walk

/// A change set with the given keys and values, nil for a key that is removed; values lie in both buffers.
func changes(_ pairs: [(key: [UInt8], value: [UInt8]?)]) -> ChangeSet {
    var page: [UInt8] = []
    var owned: [UInt8] = []
    func append(_ bytes: [UInt8], to buffer: inout [UInt8]) -> ByteRange {
        buffer += bytes
        return ByteRange(buffer.count - bytes.count, buffer.count)
    }
    let changes = pairs.enumerated().map { index, pair in
        let key = append(pair.key, to: &owned)
        guard let value = pair.value else { return ChangeSet.Change(key: key, value: .removed) }
        return ChangeSet.Change(
            key: key,
            value: index.isMultiple(of: 2)
                ? .page(append(value, to: &page)) : .owned(append(value, to: &owned)))
    }
    return ChangeSet(changes: changes, page: page, owned: owned)
}

func changes(_ pairs: [(String, String?)]) -> ChangeSet {
    changes(pairs.map { (Array($0.0.utf8), $0.1.map { Array($0.utf8) }) })
}

/// What was logged, one line per event with its metadata.
final class LogRecord: Sendable {
    private let kept = Mutex<[String]>([])

    var lines: [String] { kept.withLock { $0 } }

    /// A logger whose lines are kept here.
    var logger: Logger {
        Logger(label: "test") { _ in Recorder(record: self) }
    }

    private struct Recorder: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let facts = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted().joined(
                separator: " ")
            record.kept.withLock { $0.append("\(event.level) \(event.message) \(facts)") }
        }
    }
}

extension RedisSink {
    /// Applies without a position.
    func apply(_ changes: ChangeSet) async throws(SinkError) { try await apply(changes, nil) }

    /// Applies as the walk does: again and again until the server has taken it; returns the failures.
    @discardableResult
    func applyUntilTaken(_ changes: ChangeSet) async throws -> [SinkError] {
        var failures: [SinkError] = []
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            do throws(SinkError) {
                try await apply(changes)
                return failures
            } catch {
                failures.append(error)
                guard error.kind == .unavailable, .now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Removes a key that is not there until that fails with a message that holds `words`, and returns that failure.
    func failure(containing words: String) async throws -> SinkError {
        var failure = SinkError(.refused, "none yet")
        try await wait {
            do throws(SinkError) {
                try await apply(changes([("absent", nil)]))
            } catch {
                failure = error
            }
            return failure.message.contains(words)
        }
        return failure
    }

    /// Everything that is in the server's database.
    func contents() async throws -> [[UInt8]: [UInt8]] {
        let script = """
            local all = {} for _, k in ipairs(redis.call('KEYS', '*')) do
            all[#all + 1] = k all[#all + 1] = redis.call('GET', k) end return all
            """
        guard case .array(let words) = try await replies(to: [["EVAL", script, "0"]])[0] else {
            throw SinkError(.refused, "KEYS and GET gave no list")
        }
        var contents: [[UInt8]: [UInt8]] = [:]
        for index in stride(from: 0, to: words.count, by: 2) {
            guard case .bytes(let key) = words[index], case .bytes(let value) = words[index + 1]
            else { throw SinkError(.refused, "a key or value is not bytes") }
            contents[key] = value
        }
        return contents
    }
}

/// Runs `body` with a sink, and closes the sink whatever becomes of it.
func withSink<Result>(
    _ address: String, log: LogRecord = LogRecord(),
    _ configure: (inout RedisConfiguration) -> Void = { _ in },
    _ body: (RedisSink) async throws -> Result
) async throws -> Result {
    var configuration = RedisConfiguration(address: try RedisAddress(address))
    configure(&configuration)
    let sink = try RedisSink(configuration, logger: log.logger)
    do {
        let result = try await body(sink)
        await sink.close()
        return result
    } catch {
        await sink.close()
        throw error
    }
}

/// A number that several tasks count up.
final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func add() { count.withLock { $0 += 1 } }
}
