import Testing

@testable import LocalStreams

@Suite struct BudgetTests {
    @Test func `a bucket holds its burst and fills up evenly`() {
        var budget = Budget()
        let cost = Service.CallCost(interval: 100, burst: 10)
        var moment = Emulated.start
        let served = (0..<11).map { _ in budget.take(cost, at: moment) }
        #expect(served == Array(repeating: true, count: 10) + [false])
        moment = moment + 100
        let later = (0..<2).map { _ in budget.take(cost, at: moment) }
        #expect(later == [true, false])
        #expect(!budget.isFull(at: moment + 999))
        #expect(budget.isFull(at: moment + 1_000))
    }

    @Test func `a shard that is read too often is refused, and the others are not`() throws {
        let emulated = Emulated(
            partitions: 2, limits: .init(describeStream: nil, listStreams: nil, getRecords: 5))
        let arn = try emulated.makeTable()
        let shards = try emulated.shards(arn)
        let iterators = try shards.map { try emulated.iterator(arn, $0.shardID) }
        for _ in 0..<5 { _ = try emulated.page(iterators[0]) }
        let body = #"{"ShardIterator":"\#(iterators[0])"}"#
        #expect(try emulated.error(.getRecords, body)?.name == "LimitExceededException")
        _ = try emulated.page(iterators[1])
        emulated.now += 200
        _ = try emulated.page(iterators[0])
        #expect(try emulated.error(.getRecords, body)?.name == "LimitExceededException")
    }

    @Test func `the account's budgets are apart, and count refused requests as well`() throws {
        let emulated = Emulated(limits: LocalStreams.Limits())
        for _ in 0..<10 {
            #expect(try emulated.error(.describeStream, "{}")?.name == "ValidationException")
        }
        #expect(try emulated.error(.describeStream, "{}") == .throttled)
        for _ in 0..<5 { try emulated.call(.listStreams, "{}") }
        #expect(try emulated.error(.listStreams, "{}") == .throttled)
        try emulated.call(.listTables, "{}")
        emulated.now += 1_000
        try emulated.call(.listStreams, "{}")
    }
}
