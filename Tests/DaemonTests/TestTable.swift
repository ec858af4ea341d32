import AWS
import Foundation
import Streams
import TestBed
import Walk

@testable import shardwalk

/// A table that a test writes to, item by item.
struct TestTable: Sendable {
    /// The table's name.
    let name: String
    /// AWS as the daemon sees it.
    let services: Services

    /// Makes the table with its key attributes and their types, partition key first.
    ///
    /// `view` is what its stream's records carry; nil makes no stream.
    func create(
        keys: KeyValuePairs<String, String> = ["id": "S"], view: String? = "NEW_AND_OLD_IMAGES"
    ) async throws {
        let schema = zip(keys, ["HASH", "RANGE"]).map { key, type in
            #"{"AttributeName":"\#(key.key)","KeyType":"\#(type)"}"#
        }
        let types = keys.map { #"{"AttributeName":"\#($0.key)","AttributeType":"\#($0.value)"}"# }
        let stream = view.map {
            #","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"\#($0)"}"#
        }
        try await call(
            "CreateTable",
            """
            "BillingMode":"PAY_PER_REQUEST","KeySchema":[\(schema.joined(separator: ","))],\
            "AttributeDefinitions":[\(types.joined(separator: ","))]\(stream ?? "")
            """)
    }

    /// Switches the stream on or off.
    func switchStream(on: Bool) async throws {
        let view = on ? #","StreamViewType":"NEW_IMAGE""# : ""
        try await call(
            "UpdateTable", #""StreamSpecification":{"StreamEnabled":\#(on)\#(view)}"#)
    }

    /// The name of the table's stream.
    func streamName() async throws -> String {
        let answer = try await services.tableClient.call(
            "DescribeTable", Array(#"{"TableName":"\#(name)"}"#.utf8))
        let json = try JSONSerialization.jsonObject(with: Data(answer)) as? [String: [String: Any]]
        guard let arn = json?["Table"]?["LatestStreamArn"] as? String else {
            throw TestBedError("the table has no stream")
        }
        return arn
    }

    /// Puts an item with the key `id`; `more` is JSON of further attributes.
    func put(_ id: String, _ more: String = #""v":{"N":"1"}"#) async throws {
        try await call(
            "PutItem", #""Item":{"id":{"S":"\#(id)"},"note":{"S":"content-mark"},\#(more)}"#)
    }

    /// Puts a range of items, in batches.
    func put(_ numbers: Range<Int>) async throws {
        for start in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 25) {
            let puts = (start..<min(start + 25, numbers.upperBound)).map { number in
                """
                {"PutRequest":{"Item":{"id":{"S":"item-\(number)"},"v":{"N":"\(number)"},\
                "note":{"S":"content-mark"}}}}
                """
            }
            let body = #"{"RequestItems":{"\#(name)":[\#(puts.joined(separator: ","))]}}"#
            _ = try await services.tableClient.call("BatchWriteItem", Array(body.utf8))
        }
    }

    /// Removes an item.
    func delete(_ id: String) async throws {
        try await call("DeleteItem", #""Key":{"id":{"S":"\#(id)"}}"#)
    }

    /// Every item as it is now, by its key `id`.
    func items() async throws -> [Data: Data] {
        var items: [Data: Data] = [:]
        var start = ""
        while true {
            let answer = try await services.tableClient.call(
                "Scan", Array(#"{"TableName":"\#(name)"\#(start)}"#.utf8))
            guard
                let page = try JSONSerialization.jsonObject(with: Data(answer)) as? [String: Any],
                let found = page["Items"] as? [[String: [String: Any]]]
            else { throw TestBedError("no answer to Scan") }
            for item in found {
                guard let id = item["id"]?["S"] as? String else {
                    throw TestBedError("an item has no id")
                }
                items[Data(id.utf8)] = try JSONSerialization.data(
                    withJSONObject: item, options: .sortedKeys)
            }
            guard let last = page["LastEvaluatedKey"] else { return items }
            let key = String(
                decoding: try JSONSerialization.data(withJSONObject: last), as: UTF8.self)
            start = ",\"ExclusiveStartKey\":\(key)"
        }
    }

    private func call(_ operation: String, _ members: String) async throws {
        let body = #"{"TableName":"\#(name)",\#(members)}"#
        _ = try await services.tableClient.call(operation, Array(body.utf8))
    }
}

/// A workload that boto3 writes, and oracles of what becomes of it.
enum Workload {
    /// Writes for some seconds what follows from the seed, and returns the table's last state.
    ///
    /// The table is made first. Its items are named as the template of its key attributes, joined by colons, would. With
    /// `everyKind` there are also updates, transactions, writes that change nothing, items that expire, hot keys, and items
    /// that are written to once.
    static func write(
        to endpoint: String, table: String = "items", keys: String = "id:S", seed: UInt64,
        seconds: Int, everyKind: Bool = false
    ) async throws -> [Data: Data] {
        let output = try await Python.run(
            "Scripts/writer.py",
            [
                endpoint, table, keys, "\(seed)", "\(seconds)", Stage.keys.secretAccessKey,
                Stage.keys.sessionToken ?? "",
            ] + (everyKind ? ["every-kind"] : []))
        guard let items = try JSONSerialization.jsonObject(with: output) as? [String: Any] else {
            throw TestBedError("the writer prints no table")
        }
        var table: [Data: Data] = [:]
        for (key, item) in items {
            table[Data(key.utf8)] = try JSONSerialization.data(
                withJSONObject: item, options: .sortedKeys)
        }
        return table
    }

    /// What the function behind an event source mapping would have left in the cache, byte for byte.
    ///
    /// The stream service does not check signatures; the table's key attribute is `id`, a string. With
    /// `positions`, as `status --json` tells them, each shard is read so far; else all of it is.
    static func lambda(
        at endpoint: String, table: String = "items",
        positions: [String: [String: String]]? = nil
    ) async throws -> [Data: Data] {
        let input = try JSONSerialization.data(withJSONObject: [
            "endpoint": endpoint, "table": table, "positions": positions as Any? ?? NSNull(),
        ])
        let output = try await Node.run("Scripts/lambda.mjs", input: input)
        guard let texts = try JSONSerialization.jsonObject(with: output) as? [String: String]
        else { throw TestBedError("the function leaves no cache") }
        var cache: [Data: Data] = [:]
        for (key, text) in texts { cache[Data(key.utf8)] = Data(text.utf8) }
        return cache
    }
}
