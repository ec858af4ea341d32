import AWS
import Foundation
import Walk

@testable import Streams

/// What a service answers becomes a value or an error, whose words are fit for a log.
enum ServiceTarget {
    /// Reads an answer that is an error: a first line for the header that names it, then the body.
    static func readError(_ input: [UInt8]) throws {
        let parts = input.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
        let header = String(decoding: parts[0], as: UTF8.self)
        let error = ServiceError(
            HTTPResponse(
                status: 400 + input.count % 120,
                headers: header.isEmpty
                    ? [:] : ["x-amzn-errortype": header, "x-amzn-requestid": header],
                body: parts.count > 1 ? Array(parts[1]) : []))
        try expectLine("\(error.sourceError("GetRecords"))", bytesMax: 1_000, "the error")
    }

    /// Reads an answer of DescribeStream, GetShardIterator and DescribeTable.
    static func readAnswer(_ input: [UInt8]) throws {
        try decode(GetShardIterator.Output.self, input) { _ in }
        try decode(DescribeTable.Output.self, input) { _ = $0.table.keySchema.names }
        try decode(DescribeStream.Output.self, input) { output in
            let description = output.streamDescription
            let all = try StreamDescription(description, .all(after: nil))
            try expect(all.shards.count == description.shards.count, "shards are missing")
            let parent = ShardID(description.shards.first?.shardId ?? "")
            let children = try StreamDescription(description, .children(of: parent))
            try expect(children.shards.allSatisfy { $0.parent == parent }, "there is a stranger")
        }
    }

    private static func decode<Output: Decodable>(
        _: Output.Type, _ input: [UInt8], _ use: (Output) throws -> Void
    ) throws {
        do {
            try use(try JSONBody.decode(Output.self, from: input))
        } catch let finding as Finding {
            throw finding
        } catch {
            let words = "\(ServiceClient.malformed("DescribeStream", error))"
            try expectLine(words, bytesMax: 1_000, "the error")
        }
    }
}
