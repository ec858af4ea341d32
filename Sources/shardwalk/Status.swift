import ArgumentParser
import FoundationEssentials
import Glibc
import Records
import Walk

/// `shardwalk status`: what the checkpoint says.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show where each shard stands, from the checkpoint file.",
        discussion: "Works beside a running shardwalk; what it shows is as old as the last save.")

    @OptionGroup var options: ConfigOptions

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @Flag(help: "List every finished shard too.")
    var all = false

    func run() async throws {
        let (directory, name) = try Config.checkpointPlace(
            options.config, environment: ProcessInfo.processInfo.environment)
        let checkpoint: Checkpoint?
        do throws(CheckpointError) {
            checkpoint = try CheckpointFile.load(
                directory: directory, name: name, files: SystemFiles())
        } catch {
            throw Stop(error)
        }
        guard let checkpoint else {
            let path = CheckpointFile<SystemFiles>.path(directory: directory, name: name)
            throw Stop(
                .storage, "there is no checkpoint at \(path)",
                advice: "start `shardwalk run`; it saves one at once")
        }
        let now = SystemClock().time
        Terminal.write(
            json
                ? try StatusReport.json(checkpoint, time: now)
                : StatusReport.table(checkpoint, time: now, all: all),
            to: STDOUT_FILENO)
    }
}

/// The words of `status`.
enum StatusReport {
    /// A table per stream, with its gaps.
    static func table(_ checkpoint: Checkpoint, time: Double, all: Bool) -> String {
        var lines = [
            "\(checkpoint.name): saved \(age(of: checkpoint.savedAt, at: time)) ago"
        ]
        for (arn, stream) in checkpoint.streams.sorted(by: {
            $0.key.description < $1.key.description
        }) {
            let finished = stream.shards.values.count { $0.position == .end }
            lines.append("")
            lines.append("table \(arn.table), stream \(arn.label)")
            lines.append(
                "  \(counted(stream.shards.count, "shard")), \(finished) finished\(stream.isDrained ? ", switched off and drained" : "")"
            )
            var rows = [["SHARD", "POSITION", "LAST RECORD"]]
            for (id, shard) in stream.shards.sorted(by: { $0.key < $1.key })
            where all || shard.position != .end {
                rows.append([
                    id.description, words(for: shard.position),
                    shard.recordTime.map { "\(age(of: $0, at: time)) ago" } ?? "-",
                ])
                if let blocked = shard.blocked { rows.append(["  stopped: \(blocked)", "", ""]) }
            }
            if rows.count > 1 { lines += columns(rows).map { "  \($0)" } }
            for gap in stream.gaps {
                lines.append(
                    "  GAP \(age(of: gap.noticedAt, at: time)) ago\(gap.shard.map { " in \($0)" } ?? ""): \(gap.reason)"
                )
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The checkpoint with ages in place of times, for programs.
    static func json(_ checkpoint: Checkpoint, time: Double) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(
            decoding: try encoder.encode(StatusJSON(checkpoint, time: time)), as: UTF8.self)
            + "\n"
    }

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
        let widths = [0, 1].map { column in
            rows.filter { !$0[1].isEmpty }.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            row[1].isEmpty
                ? row[0]
                : zip(row, widths).map { text, width in
                    text + String(repeating: " ", count: width - text.count)
                }.joined(separator: "  ") + "  " + row[2]
        }
    }
}

/// The form of `status --json`.
private struct StatusJSON: Encodable {
    struct Shard: Encodable {
        let position: String
        let sequenceNumber: String?
        let parent: String?
        let lastRecordAgeSeconds: Double?
        let stopped: String?
    }

    struct Stream: Encodable {
        let table: String
        let shards: [String: Shard]
        let gaps: [Checkpoint.Gap]
        let drained: Bool
    }

    let name: String
    let savedAgeSeconds: Double
    let streams: [String: Stream]

    init(_ checkpoint: Checkpoint, time: Double) {
        name = checkpoint.name
        savedAgeSeconds = max(0, time - checkpoint.savedAt)
        var streams: [String: Stream] = [:]
        for (arn, stream) in checkpoint.streams {
            var shards: [String: Shard] = [:]
            for (id, shard) in stream.shards {
                shards[id.description] = Shard(
                    position: shard.position.name,
                    sequenceNumber: shard.position.sequenceNumber?.digits,
                    parent: shard.parent?.description,
                    lastRecordAgeSeconds: shard.recordTime.map { max(0, time - $0) },
                    stopped: shard.blocked)
            }
            streams[arn.description] = Stream(
                table: arn.table, shards: shards, gaps: stream.gaps, drained: stream.isDrained)
        }
        self.streams = streams
    }
}
