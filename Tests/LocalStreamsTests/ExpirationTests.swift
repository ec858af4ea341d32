import Testing

@testable import LocalStreams

@Suite struct ExpirationTests {
    private static let startSecond = Emulated.start.seconds

    private func table(_ emulated: Emulated) throws -> String {
        let arn = try emulated.makeTable()
        try emulated.call(
            .updateTimeToLive,
            #"""
            {"TableName":"items","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"n"}}
            """#)
        return arn
    }

    /// What became of a key, and when.
    private func story(
        _ emulated: Emulated, _ arn: String, _ key: String
    ) throws -> [(name: String, second: Int?, identity: JSON?)] {
        try emulated.shards(arn).flatMap { try emulated.records(arn, $0.shardID) }
            .filter { $0["dynamodb"]?["Keys"]?["id"]?["S"]?.string == key }
            .map { record in
                var second: Int?
                if case .number(let digits)? = record["dynamodb"]?["ApproximateCreationDateTime"] {
                    second = Double(digits).map { Int($0) - Self.startSecond }
                }
                return (record["eventName"]?.string ?? "", second, record["userIdentity"])
            }
    }

    @Test func `each item goes at its own time, into the shard that was open then`() throws {
        let emulated = Emulated(partitions: 1, rolloverInterval: Emulated.hour)
        let arn = try table(emulated)
        try emulated.put("late", Self.startSecond + 5 * 3_600)
        try emulated.put("soon", Self.startSecond + 60)
        try emulated.put("changed", Self.startSecond + 60)
        try emulated.put("changed", Self.startSecond + 6 * 3_600)
        try emulated.put("hastened", Self.startSecond + 6 * 3_600)
        try emulated.put("hastened", Self.startSecond + 120)
        emulated.now = 5 * Emulated.hour + 60_000
        let late = try story(emulated, arn, "late")
        #expect(late.map(\.name) == ["INSERT", "REMOVE"])
        #expect(late.last?.second == 5 * 3_600)
        #expect(try story(emulated, arn, "soon").last?.second == 60)
        #expect(try story(emulated, arn, "hastened").last?.second == 120)
        #expect(try story(emulated, arn, "changed").map(\.name) == ["INSERT", "MODIFY"])
        let shards = try emulated.shards(arn)
        #expect(shards.count > 3)
        let keys = try shards.map { try emulated.records(arn, $0.shardID).count }
        #expect(keys[0] == 8, "the first shard has what happened in the first minutes")
    }

    @Test func `what is noted of items that change is tidied up, and still goes in time`() throws {
        let emulated = Emulated(partitions: 1)
        let arn = try table(emulated)
        for number in 0..<5_000 {
            try emulated.put("k\(number % 3)", Self.startSecond + 100_000 - number)
        }
        emulated.now = 94_999 * 1_000
        #expect(emulated.service.tables["items"]?.items.count == 3)
        for second in 95_001...95_003 {
            emulated.now = second * 1_000
            try emulated.call(.listTables, "{}")
            #expect(emulated.service.tables["items"]?.items.count == 95_003 - second)
        }
        let ends = try (0..<3).map { try story(emulated, arn, "k\($0)").last?.second }
        #expect(Set(ends) == [95_001, 95_002, 95_003])
    }

    @Test(arguments: LocalStreams.IdentityCasing.allCases)
    func `the names of the identity are written in either way`(
        casing: LocalStreams.IdentityCasing
    ) throws {
        let emulated = Emulated(partitions: 1, identityCasing: casing)
        let arn = try table(emulated)
        for number in 0..<40 { try emulated.put("k\(number)", Self.startSecond - 1) }
        let shard = try #require(emulated.shards(arn).first).shardID
        let identities = try emulated.records(arn, shard).compactMap { $0["userIdentity"] }
        #expect(identities.count == 40)
        let capital = identities.filter {
            $0["PrincipalId"]?.string == "dynamodb.amazonaws.com" && $0["Type"]?.string == "Service"
        }
        let small = identities.filter {
            $0["principalId"]?.string == "dynamodb.amazonaws.com" && $0["type"]?.string == "Service"
        }
        #expect(capital.count + small.count == 40)
        #expect(capital.isEmpty == (casing == .small))
        #expect(small.isEmpty == (casing == .capital))
    }
}
