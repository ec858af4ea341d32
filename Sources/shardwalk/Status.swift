import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
import Records
import Redis
import Walk

/// `shardwalk status`: what the checkpoint says, and what Redis says.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show where each shard stands, from the checkpoint file and from Redis.",
        discussion: """
            Works beside a running shardwalk; what the file shows is as old as the last save. With --redis the \
            positions that Redis holds stand beside those of the file: they are what counts at the next start.
            """)

    @OptionGroup var options: ConfigOptions

    @Flag(help: "Show the positions in Redis too.")
    var redis = false

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @Flag(help: "List every finished shard too.")
    var all = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let (directory, name) = try Config.checkpointPlace(
            options.config, environment: environment)
        let checkpoint: Checkpoint?
        do throws(CheckpointError) {
            checkpoint = try CheckpointFile.load(
                directory: directory, name: name, files: SystemFiles())
        } catch {
            throw Stop(error)
        }
        var held: HeldPositions?
        if redis {
            held = try await Self.held(
                environment, options.config, known: Array((checkpoint?.streams ?? [:]).keys))
        }
        let failure = held?.firstFailure.map { Stop($0) }
        guard checkpoint != nil || held?.streams.isEmpty == false else {
            let path = CheckpointFile<SystemFiles>.path(directory: directory, name: name)
            throw failure
                ?? Stop(
                    .storage,
                    "there is no checkpoint at \(path)\(redis ? ", and no position in Redis" : "")",
                    advice: "start `shardwalk run`; it saves one at once")
        }
        let report = StatusReport(
            name: name, checkpoint: checkpoint, held: held, time: SystemClock().time)
        Terminal.write(json ? try report.json() : report.table(all: all), to: STDOUT_FILENO)
        // What the file says is worth a look above all when Redis says nothing.
        if let failure { throw failure }
    }

    private static func held(
        _ environment: [String: String], _ path: String, known: [StreamARN]
    ) async throws(Stop) -> HeldPositions {
        let config = try Config.load(path, environment: environment)
        guard config.redis.positionsName != nil else {
            throw Stop(
                .configuration, "no positions are held in Redis: redis.positions is false",
                advice: "leave --redis out")
        }
        // A login by IAM needs the credentials that AWS is called with.
        let services = try await Services(
            config, environment: environment,
            logger: Logger(label: "status") { _ in SwiftLogNoOpLogHandler() })
        let held = await HeldPositions.read(services.redis(config), known: known)
        await services.close()
        return held
    }
}

/// The words of `status`.
struct StatusReport {
    /// The daemon's name.
    let name: String
    /// What the file says; nil where there is none.
    let checkpoint: Checkpoint?
    /// What Redis says; nil where it was not asked.
    var held: HeldPositions?
    /// Now, in seconds since 1970.
    let time: Double

    /// How a position in Redis relates to that in the file.
    enum Relation: String, Encodable {
        /// Both are the same, or neither has one.
        case same
        /// Redis is ahead: the file is saved on a beat.
        case ahead
        /// Redis is behind: it has lost what came after.
        case behind
        /// Redis has no position, though the file has one.
        case missing
        /// The shard is finished and others carry on: Redis has forgotten it.
        case over
        /// The file does not know the shard.
        case unknown
    }

    /// All streams that the file or Redis knows, in the order of their names.
    private var streams: [StreamARN] {
        Set((checkpoint?.streams ?? [:]).keys).union((held?.streams ?? [:]).keys)
            .sorted { $0.description < $1.description }
    }

    /// A table per stream, with its gaps.
    func table(all: Bool) -> String {
        let saved = checkpoint.map { "saved \(age(of: $0.savedAt)) ago" }
        var lines = ["\(name): \(saved ?? "no checkpoint file, Redis alone has the positions")"]
        if let failure = held?.failure { lines.append("Redis can't be asked: \(failure)") }
        for arn in streams { lines += self.lines(of: arn, all: all) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func lines(of arn: StreamARN, all: Bool) -> [String] {
        let stream = checkpoint?.streams[arn]
        let content = held?.content(of: arn)
        let relations = content.map { self.relations(stream, $0) } ?? [:]
        var shards = stream?.shards ?? [:]
        for (id, position) in content?.positions ?? [:] where shards[id] == nil {
            shards[id] = Checkpoint.Shard(position: position)
        }
        let finished = shards.values.count { $0.position == .end }
        var lines = [
            "", "table \(arn.table), stream \(arn.label)",
            "  \(Self.counted(shards.count, "shard")), \(finished) finished\(stream?.isDrained == true ? ", switched off and drained" : "")",
        ]
        if let lost = stream?.lost, !lost.isEmpty {
            lines.append(
                "  refilling: Redis had lost changes; \(Self.counted(lost.count, "shard")) still to come to where they were"
            )
        }
        if let content { lines.append("  Redis: \(words(for: content, stream))") }
        if case .failure(let error)? = held?.streams[arn] { lines.append("  Redis: \(error)") }
        var rows = [["SHARD", "POSITION"] + (content == nil ? [] : ["IN REDIS"]) + ["LAST RECORD"]]
        var shown: Set<Relation> = []
        for (id, shard) in shards.sorted(by: { $0.key < $1.key }) {
            let relation = relations[id] ?? .same
            let isQuiet = shard.position == .end && (relation == .same || relation == .over)
            guard all || !isQuiet else { continue }
            shown.insert(relation)
            var row = [
                id.description,
                stream?.shards[id].map { Self.words(for: $0.position) } ?? "-",
            ]
            if let content {
                row.append(words(for: content.positions[id], relation))
            }
            row.append(shard.recordTime.map { "\(age(of: $0)) ago" } ?? "-")
            rows.append(row)
            if let blocked = shard.blocked { rows.append(["  stopped: \(blocked)"]) }
        }
        if rows.count > 1 { lines += Self.columns(rows).map { "  \($0)" } }
        if content?.beginning != nil { lines += shown.compactMap(explanation).sorted() }
        for gap in stream?.gaps ?? [] {
            lines.append(
                "  GAP \(age(of: gap.noticedAt)) ago\(gap.shard.map { " in \($0)" } ?? ""): \(gap.reason)"
            )
        }
        return lines
    }

    private func words(for content: PositionHash.Content, _ stream: Checkpoint.Stream?) -> String {
        guard content.beginning != nil else {
            return stream?.cached == .current
                ? "holds no positions of this stream any more: it was emptied; redis.onCacheLoss says what follows"
                : "holds no positions of this stream yet"
        }
        guard stream?.cached != .old else {
            return "holds old positions, from before they were switched off: the file is right"
        }
        let beat = content.beat.map { ", last sign of life \(age(of: $0)) ago" } ?? ""
        return "holds \(Self.counted(content.positions.count, "position"))\(beat)"
    }

    private func words(for position: Position?, _ relation: Relation) -> String {
        guard let position else {
            return switch relation {
            case .missing: "none"
            case .over: "over"
            case .same, .ahead, .behind, .unknown: "-"
            }
        }
        return switch relation {
        case .same, .over: "same"
        case .ahead, .behind: "\(Self.words(for: position)) (\(relation.rawValue))"
        case .missing, .unknown: Self.words(for: position)
        }
    }

    private func explanation(of relation: Relation) -> String? {
        switch relation {
        case .same: nil
        case .over: "  over: the shard is finished and others carry on"
        case .ahead: "  ahead: Redis is right; the file is saved on a beat"
        case .behind:
            "  behind: Redis has lost what came after; it is written again from there at the next start or reconnection"
        case .missing:
            "  none: Redis has lost the position; the shard is written again from its beginning at the next start or reconnection"
        case .unknown: "  -: the file does not know the shard; the position in Redis is enough"
        }
    }

    /// How the positions of shards in Redis relate to those in the file.
    private func relations(
        _ stream: Checkpoint.Stream?, _ content: PositionHash.Content
    ) -> [ShardID: Relation] {
        let known = stream?.shards ?? [:]
        let continued = Reconciliation.continuedShards(known, heldBy: content.positions)
        var relations: [ShardID: Relation] = [:]
        for (id, shard) in known {
            let mine = shard.position
            relations[id] =
                if let other = content.positions[id] {
                    mine == other ? .same : mine.isAhead(of: other) ? .behind : .ahead
                } else if mine == .end, continued.contains(id) {
                    .over
                } else {
                    mine.hasBegun ? .missing : .same
                }
        }
        for id in content.positions.keys where known[id] == nil { relations[id] = .unknown }
        return relations
    }

    /// The same with ages in place of times, for programs.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(content), as: UTF8.self) + "\n"
    }

    private var content: StatusJSON {
        var streams: [String: StatusJSON.Stream] = [:]
        for arn in self.streams {
            let stream = checkpoint?.streams[arn]
            let content = held?.content(of: arn)
            let relations = content.map { self.relations(stream, $0) } ?? [:]
            var failure: String?
            if case .failure(let error)? = held?.streams[arn] { failure = "\(error)" }
            var shards: [String: StatusJSON.Shard] = [:]
            for id in Set((stream?.shards ?? [:]).keys).union((content?.positions ?? [:]).keys) {
                let shard = stream?.shards[id]
                let position = content?.positions[id]
                shards[id.description] = StatusJSON.Shard(
                    position: shard?.position.name,
                    sequenceNumber: shard?.position.sequenceNumber?.digits,
                    parent: shard?.parent?.description,
                    lastRecordAgeSeconds: shard?.recordTime.map { max(0, time - $0) },
                    stopped: shard?.blocked,
                    redis: relations[id].map { relation in
                        StatusJSON.Held(
                            position: position?.name,
                            sequenceNumber: position?.sequenceNumber?.digits, relation: relation)
                    })
            }
            streams[arn.description] = StatusJSON.Stream(
                table: arn.table, shards: shards, gaps: stream?.gaps ?? [],
                drained: stream?.isDrained ?? false, refillingShards: stream?.lost.count ?? 0,
                redis: content.map { content in
                    StatusJSON.Hash(
                        whole: content.beginning != nil,
                        beatAgeSeconds: content.beat.map { max(0, time - $0) })
                }, redisError: failure)
        }
        return StatusJSON(
            name: name, savedAgeSeconds: checkpoint.map { max(0, time - $0.savedAt) },
            streams: streams, redisError: held?.failure.map { "\($0)" })
    }

    private func age(of past: Double) -> String { Self.age(of: past, at: time) }

    /// A position in the field's words.
    static func words(for position: Position) -> String {
        switch position {
        case .trimHorizon: "TRIM_HORIZON"
        case .start: "start of the shard"
        case .since(0): "LATEST"
        case .since(let time):
            "LATEST at \(Date(timeIntervalSince1970: time + StartPosition.clockTolerance).formatted(.iso8601))"
        case .after(let number): "after \(number)"
        case .end: "SHARD_END"
        }
    }

    /// A number with its noun, which is in the singular after 1.
    static func counted(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    /// How long ago a time is.
    static func age(of past: Double, at time: Double) -> String {
        let seconds = max(0, Int(time - past))
        return switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7_200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) d"
        }
    }

    private static func columns(_ rows: [[String]]) -> [String] {
        let count = rows[0].count
        let widths = (0..<count - 1).map { column in
            rows.filter { $0.count == count }.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            guard row.count == count else { return row[0] }
            return zip(row, widths).map { text, width in
                text + String(repeating: " ", count: width - text.count)
            }.joined(separator: "  ") + "  " + row[count - 1]
        }
    }
}

/// The form of `status --json`.
private struct StatusJSON: Encodable {
    struct Held: Encodable {
        let position: String?
        let sequenceNumber: String?
        let relation: StatusReport.Relation
    }

    struct Shard: Encodable {
        let position: String?
        let sequenceNumber: String?
        let parent: String?
        let lastRecordAgeSeconds: Double?
        let stopped: String?
        let redis: Held?
    }

    struct Hash: Encodable {
        let whole: Bool
        let beatAgeSeconds: Double?
    }

    struct Stream: Encodable {
        let table: String
        let shards: [String: Shard]
        let gaps: [Checkpoint.Gap]
        let drained: Bool
        let refillingShards: Int
        let redis: Hash?
        let redisError: String?
    }

    let name: String
    let savedAgeSeconds: Double?
    let streams: [String: Stream]
    let redisError: String?
}
