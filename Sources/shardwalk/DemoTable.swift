import FoundationEssentials
import Streams
import Synchronization
import Walk

/// The demo's table and the workload that changes it, through DynamoDB's own API.
final class DemoTable: Sendable {
    /// The table's name.
    static let name = "orders"

    private let client: ServiceClient
    /// A write that was made: which item, and its new version; nil where it was deleted.
    struct Write: Equatable, Sendable {
        /// The item.
        let id: String
        /// What its attribute `version` says since.
        let version: Int?
    }

    private let workload: Mutex<Workload>
    private let history = Mutex((count: 0, last: [Write]()))

    /// A table that is reached through `client`; the workload follows from `seed`.
    init(_ client: ServiceClient, seed: UInt64) {
        self.client = client
        workload = Mutex(Workload(generator: SeededGenerator(seed: seed)))
    }

    /// How many writes were made, and the latest of them.
    var writes: (count: Int, last: [Write]) { history.withLock { $0 } }

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
            let (operation, body, writes) = workload.withLock { $0.step() }
            try await call(operation, body)
            history.withLock { history in
                history.count += writes.count
                history.last = Array((history.last + writes).suffix(5))
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
}

/// Which writes the demo makes.
private struct Workload {
    /// How many different items there are at the most.
    private static let itemsMaximum: UInt64 = 300

    var generator: SeededGenerator
    private var version = 0

    init(generator: SeededGenerator) { self.generator = generator }

    /// The next call, its body, and what it writes.
    mutating func step() -> (operation: String, body: String, writes: [DemoTable.Write]) {
        let id = nextID()
        switch generator.next() % 10 {
        case 0, 1:
            let body = "{\"TableName\":\"\(DemoTable.name)\",\"Key\":{\"id\":{\"S\":\"\(id)\"}}}"
            return ("DeleteItem", body, [DemoTable.Write(id: id, version: nil)])
        case 2:
            let puts = Set((0..<5).map { _ in nextID() }).sorted().map { put($0) }
            let requests = puts.map { "{\"PutRequest\":{\"Item\":\($0.item)}}" }
            return (
                "BatchWriteItem",
                "{\"RequestItems\":{\"\(DemoTable.name)\":[\(requests.joined(separator: ","))]}}",
                puts.map(\.write)
            )
        default:
            let put = put(id)
            return (
                "PutItem", "{\"TableName\":\"\(DemoTable.name)\",\"Item\":\(put.item)}",
                [put.write]
            )
        }
    }

    private mutating func nextID() -> String { "order-\(generator.next() % Self.itemsMaximum)" }

    /// An item with a bit of everything that is easily mangled on the way.
    private mutating func put(_ id: String) -> (item: String, write: DemoTable.Write) {
        version += 1
        let status = ["new", "paid", "sent", "r\u{e9}turned \u{1F4E6}", "tab\\there \\u0001"]
        let cents = generator.next() % 100_000
        let item = """
            {"id":{"S":"\(id)"},"status":{"S":"\(status[Int(generator.next() % 5)])"},\
            "total":{"N":"\(cents / 100).\(cents % 100 + 1)"},"version":{"N":"\(version)"},\
            "tags":{"SS":["a\(generator.next() % 9)","b"]},"lines":{"L":[{"M":{"sku":{"S":"\\"x\\"/y"},\
            "count":{"N":"\(generator.next() % 9 + 1)"}}}]},"extra":{"M":{}},"paid":{"BOOL":true}}
            """
        return (item, DemoTable.Write(id: id, version: version))
    }
}
