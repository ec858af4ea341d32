import FoundationEssentials
import Streams
import Synchronization
import Walk

/// The demo's table and the workload that changes it, through DynamoDB's own API.
final class DemoTable: Sendable {
    /// The table's name.
    static let name = "orders"

    /// How many different items there are at the most.
    private static let itemsMaximum: UInt64 = 300

    private let client: ServiceClient
    private let generator: Mutex<SeededGenerator>
    private let counts = Mutex((writes: 0, last: [String]()))

    /// A table that is reached through `client`; the workload follows from `seed`.
    init(_ client: ServiceClient, seed: UInt64) {
        self.client = client
        generator = Mutex(SeededGenerator(seed: seed))
    }

    /// How many writes were made, and the latest of them in words.
    var activity: (writes: Int, last: [String]) { counts.withLock { $0 } }

    /// Makes the table with its stream.
    func create() async throws {
        try await call(
            "CreateTable",
            """
            {"TableName":"\(Self.name)","BillingMode":"PAY_PER_REQUEST",
            "KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
            "AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],
            "StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}
            """)
    }

    /// Puts, changes and deletes items for a time.
    func write(for duration: Duration) async throws {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end, !Task.isCancelled {
            let (operation, body, words) = generator.withLock { Self.step(&$0) }
            try await call(operation, body)
            counts.withLock { counts in
                counts.writes += words.count
                counts.last = Array((counts.last + words).suffix(6))
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Every item as it is now, by its id.
    func items() async throws -> [String: JSONValue] {
        var items: [String: JSONValue] = [:]
        var start = ""
        while true {
            let answer = try await call("Scan", "{\"TableName\":\"\(Self.name)\"\(start)}")
            guard
                case .object(let page) = try JSONDecoder().decode(
                    JSONValue.self, from: Data(answer)), case .array(let found)? = page["Items"]
            else { return items }
            for case .object(let item) in found {
                guard case .object(let id)? = item["id"], case .string(let text)? = id["S"] else {
                    continue
                }
                items[text] = .object(item)
            }
            guard let next = page["LastEvaluatedKey"], case .object(let key) = next,
                case .object(let id)? = key["id"], case .string(let text)? = id["S"]
            else { return items }
            start = ",\"ExclusiveStartKey\":{\"id\":{\"S\":\"\(text)\"}}"
        }
    }

    @discardableResult
    private func call(_ operation: String, _ body: String) async throws -> [UInt8] {
        try await client.call(operation, Array(body.utf8))
    }

    /// One write of the workload: the call, its body, and a word per item.
    private static func step(
        _ generator: inout SeededGenerator
    ) -> (operation: String, body: String, words: [String]) {
        let id = "order-\(generator.next() % itemsMaximum)"
        switch generator.next() % 10 {
        case 0, 1:
            return (
                "DeleteItem", "{\"TableName\":\"\(name)\",\"Key\":{\"id\":{\"S\":\"\(id)\"}}}",
                ["-\(id)"]
            )
        case 2:
            let ids = Set((0..<5).map { _ in "order-\(generator.next() % itemsMaximum)" }).sorted()
            let puts = ids.map { "{\"PutRequest\":{\"Item\":\(item($0, &generator))}}" }
            return (
                "BatchWriteItem",
                "{\"RequestItems\":{\"\(name)\":[\(puts.joined(separator: ","))]}}",
                ids.map { "+\($0)" }
            )
        default:
            return (
                "PutItem", "{\"TableName\":\"\(name)\",\"Item\":\(item(id, &generator))}",
                ["+\(id)"]
            )
        }
    }

    /// An item with a bit of everything that is easily mangled on the way.
    private static func item(_ id: String, _ generator: inout SeededGenerator) -> String {
        let status = ["new", "paid", "sent", "r\u{e9}turned \u{1F4E6}", "tab\\there \\u0001"]
        let cents = generator.next() % 100_000
        return """
            {"id":{"S":"\(id)"},"status":{"S":"\(status[Int(generator.next() % 5)])"},\
            "total":{"N":"\(cents / 100).\(cents % 100 + 1)"},"version":{"N":"\(generator.next())"},\
            "tags":{"SS":["a\(generator.next() % 9)","b"]},"lines":{"L":[{"M":{"sku":{"S":"\\"x\\"/y"},\
            "count":{"N":"\(generator.next() % 9 + 1)"}}}]},"extra":{"M":{}},"paid":{"BOOL":true}}
            """
    }
}
