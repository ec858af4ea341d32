import Testing

@testable import LocalStreams

@Suite struct ShardTests {
    @Test func `a rollover closes a shard and one child goes on`() throws {
        let emulated = Emulated(partitions: 2)
        let arn = try emulated.makeTable()
        let before = try emulated.shards(arn)
        #expect(before.count == 2)
        #expect(before.allSatisfy { $0.parent == nil && $0.end == nil })
        // Twice in the same millisecond: names still sort by age.
        emulated.rollOver()
        emulated.rollOver()
        let after = try emulated.shards(arn)
        #expect(after.count == 6)
        #expect(after.map(\.shardID) == after.map(\.shardID).sorted())
        for parent in after.dropLast(2) {
            let children = after.filter { $0.parent == parent.shardID }
            let child = try #require(children.first)
            let end = try #require(parent.end)
            #expect(children.count == 1)
            #expect(child.shardID > parent.shardID)
            #expect(comesBefore(end, child.start))
            #expect(!comesBefore(end, parent.start))
        }
        #expect(after.filter { $0.end == nil }.count == 2)
    }

    @Test func `a split gives two children, and each key goes to one of them`() throws {
        let emulated = Emulated(partitions: 1)
        let arn = try emulated.makeTable()
        let root = try #require(emulated.shards(arn).first?.shardID)
        for number in 0..<100 { try emulated.put("a\(number)", number) }
        #expect(emulated.split(root))
        #expect(!emulated.split(root), "a closed shard is not split again")
        for number in 0..<100 { try emulated.put("b\(number)", number) }
        let children = try emulated.shards(arn).filter { $0.parent == root }
        #expect(children.count == 2)
        let keys = try children.map { try emulated.keys(arn, $0.shardID) }
        #expect(keys.allSatisfy { $0.count > 20 })
        #expect(Set(keys.joined()).count == 100)
        #expect(keys.joined().allSatisfy { $0.hasPrefix("b") })
    }

    @Test(arguments: [3, 7, 16]) func `a split may give more children than two`(count: Int) throws {
        let emulated = Emulated(partitions: 1)
        let arn = try emulated.makeTable()
        let root = try #require(emulated.shards(arn).first?.shardID)
        #expect(emulated.split(root, into: count))
        for number in 0..<count * 100 { try emulated.put("k\(number)", number) }
        let children = try emulated.shards(arn).filter { $0.parent == root }
        #expect(children.count == count)
        let counts = try children.map { try emulated.records(arn, $0.shardID).count }
        #expect(counts.reduce(0, +) == count * 100)
        #expect(counts.allSatisfy { (40...160).contains($0) }, "\(counts)")
    }

    @Test func `splits by chance give as many children as they are told to, within the bound`()
        throws
    {
        let emulated = Emulated(
            partitions: 3, rolloverInterval: 2 * Emulated.hour, splitShare: 0.5, splitChildren: 4)
        let arn = try emulated.makeTable()
        emulated.now = 22 * Emulated.hour
        let shards = try emulated.shards(arn)
        let families = shards.filter { $0.end != nil }.map { parent in
            shards.filter { $0.parent == parent.shardID }.count
        }
        #expect(Set(families) == [1, 4])
        #expect(shards.filter { $0.end == nil }.count == 12)
    }

    @Test func `a shard is closed after so many records, long before its time`() throws {
        let emulated = Emulated(
            partitions: 2, rolloverInterval: 4 * Emulated.hour, recordsMax: 10, splitShare: 0.2)
        let arn = try emulated.makeTable()
        for number in 0..<500 { try emulated.put("k\(number % 60)", number) }
        let shards = try emulated.shards(arn)
        let counts = try shards.map { try emulated.records(arn, $0.shardID).count }
        #expect(counts.reduce(0, +) == 500)
        for (shard, count) in zip(shards, counts) {
            #expect(shard.end == nil ? count < 10 : count == 10)
            let children = shards.filter { $0.parent == shard.shardID }
            #expect(children.isEmpty == (shard.end == nil))
        }
        // When the time of those comes that were closed before it, nothing happens to them.
        emulated.now = 3 * Emulated.hour - 1
        #expect(try emulated.shards(arn).map(\.shardID) == shards.map(\.shardID))
    }

    @Test func `a shard is closed after so many bytes`() throws {
        let emulated = Emulated(partitions: 1, bytesMax: 1_000)
        let arn = try emulated.makeTable()
        for number in 0..<300 { try emulated.put("key-\(number)", number) }
        let shards = try emulated.shards(arn)
        #expect(shards.count > 2)
        for shard in shards {
            let sizes = try emulated.records(arn, shard.shardID).map { record in
                try #require(record["dynamodb"]?["SizeBytes"]?.integer)
            }
            let bytes = sizes.reduce(0, +)
            if shard.end == nil {
                #expect(bytes < 1_000)
            } else {
                #expect(bytes >= 1_000 && bytes - (sizes.last ?? 0) < 1_000)
            }
        }
    }

    @Test func `a shard may end without a child, on a stream that is enabled`() throws {
        let emulated = Emulated(partitions: 2)
        let arn = try emulated.makeTable()
        for number in 0..<20 { try emulated.put("k\(number)", number) }
        let leaf = try #require(emulated.shards(arn).first)
        let keys = Set(try emulated.keys(arn, leaf.shardID))
        let others = (0..<20).map { "k\($0)" }.filter { !keys.contains($0) }
        #expect(emulated.closeWithoutChild(leaf.shardID))
        #expect(!emulated.closeWithoutChild(leaf.shardID), "it is closed")
        #expect(!emulated.split(leaf.shardID))
        // The other part of the keys goes on, and nothing opens a child for this one: not a rollover of all, not time.
        for number in 0..<40 { try emulated.put(others[number % others.count], 100 + number) }
        emulated.rollOver()
        emulated.now = 12 * Emulated.hour
        let shards = try emulated.shards(arn)
        #expect(shards.count == 3)
        #expect(shards.first { $0.shardID == leaf.shardID }?.end != nil)
        #expect(!shards.contains { $0.parent == leaf.shardID })
        #expect(try emulated.keys(arn, leaf.shardID).count == keys.count)
        emulated.now = 25 * Emulated.hour
        #expect(try emulated.shards(arn).map(\.shardID).contains(leaf.shardID) == false)

        // What is written to it again goes on behind it, also when it is gone.
        let key = try #require(keys.first)
        try emulated.put(key, 1_000)
        let child = try #require(emulated.shards(arn).first { $0.parent == leaf.shardID })
        #expect(try emulated.keys(arn, child.shardID) == [key])
        #expect(comesBefore(leaf.start, child.start))
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func `parents first, every key's changes come in the order in which they were made`(
        seed: UInt64
    ) throws {
        let emulated = Emulated(
            seed: seed, partitions: 3, rolloverInterval: 4 * Emulated.hour,
            recordsMax: seed.isMultiple(of: 2) ? 20 : nil, leafShare: 0.3, emptyPagesMax: 2)
        var generator = SeededGenerator(seed: seed)
        let arn = try emulated.makeTable()
        var written: [String: [Int]] = [:]
        for number in 0..<400 {
            emulated.now += Int.random(in: 0...180_000, using: &generator)
            let key = "k\(Int.random(in: 0..<30, using: &generator))"
            try emulated.put(key, number)
            written[key, default: []].append(number)
            if Int.random(in: 0..<60, using: &generator) == 0,
                let shard = emulated.service.openStream(of: "items")?.open
                    .randomElement(using: &generator)
            {
                let count = Int.random(in: 2...4, using: &generator)
                #expect(emulated.split(shard, into: count))
            }
        }
        var read: [String: [Int]] = [:]
        let shards = try emulated.shards(arn, limit: 7)
        #expect(shards.count > 12)
        // A parent's name comes before its children's, so the order of the listing is one of those allowed.
        for shard in shards {
            let isBehindParent = shard.parent.map { $0 < shard.shardID } ?? true
            #expect(isBehindParent)
            var newest = shard.start
            for record in try emulated.records(arn, shard.shardID, limit: 5) {
                #expect(comesBefore(newest, record.sequenceNumber))
                newest = record.sequenceNumber
                let image = try #require(record["dynamodb"]?["NewImage"])
                let number = try #require(image["n"]?["N"]?.string.flatMap { Int($0) })
                read[image["id"]?["S"]?.string ?? "", default: []].append(number)
            }
            if let end = shard.end { #expect(!comesBefore(end, newest)) }
        }
        #expect(read == written)
    }

    @Test func `sequence numbers are longer than 64 bits, sparse, and gain a digit`() throws {
        let emulated = Emulated(partitions: 1)
        let arn = try emulated.makeTable()
        for number in 0..<300 { try emulated.put("k", number) }
        let shard = try #require(emulated.shards(arn).first)
        let numbers = try emulated.records(arn, shard.shardID).map(\.sequenceNumber)
        #expect(numbers.count == 300)
        #expect(numbers.allSatisfy { (21...40).contains($0.utf8.count) && !$0.hasPrefix("0") })
        #expect(Set(numbers.map(\.utf8.count)).count > 1)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { comesBefore($0, $1) })
        #expect(numbers != numbers.sorted(), "as texts they are in another order")
    }

    @Test func `shards roll over by themselves, each at its own time`() throws {
        let emulated = Emulated(partitions: 40, rolloverInterval: 4 * Emulated.hour)
        let arn = try emulated.makeTable()
        emulated.now = 23 * Emulated.hour
        let shards = try emulated.shards(arn)
        // 23 hours are some 5 generations of about 4 hours after a first one of up to 5.
        #expect((200...320).contains(shards.count))
        let created = shards.filter { $0.parent != nil }.map { $0.shardID.prefix(28) }
        #expect(Set(created).count > created.count * 9 / 10)
        for shard in shards where shard.end != nil {
            #expect(shards.filter { $0.parent == shard.shardID }.count == 1)
        }
    }

    @Test func `some shards split when their time has come, up to four times as many`() throws {
        let emulated = Emulated(
            partitions: 3, rolloverInterval: 2 * Emulated.hour, splitShare: 0.5)
        let arn = try emulated.makeTable()
        emulated.now = 22 * Emulated.hour
        let shards = try emulated.shards(arn)
        #expect(shards.filter { $0.end == nil }.count == 12)
        let families = shards.filter { $0.end != nil }.map { parent in
            shards.filter { $0.parent == parent.shardID }.count
        }
        #expect(Set(families) == [1, 2])
    }

    @Test func `a stream takes its time to come and to go`() throws {
        let emulated = Emulated(partitions: 2, transition: 5_000)
        let arn = try emulated.makeTable()
        func status() throws -> String? {
            try emulated.call(.describeStream, #"{"StreamArn":"\#(arn)"}"#)["StreamDescription"]?[
                "StreamStatus"]?.string
        }
        try emulated.put("k", 1)
        emulated.now = 4_999
        #expect(try status() == "ENABLING")
        #expect(try emulated.shards(arn).isEmpty)
        emulated.now = 5_000
        #expect(try status() == "ENABLED")
        let shards = try emulated.shards(arn)
        #expect(shards.count == 2)
        let records = try shards.map { try emulated.records(arn, $0.shardID).count }
        #expect(records.reduce(0, +) == 1)
        try emulated.call(
            .updateTable,
            #"{"TableName":"items","StreamSpecification":{"StreamEnabled":false}}"#)
        #expect(try status() == "DISABLING")
        #expect(try emulated.shards(arn).allSatisfy { $0.end != nil })
        emulated.now = 10_000
        #expect(try status() == "DISABLED")
    }

    @Test func `records and shards go when they are a day old, children keep their parent's name`()
        throws
    {
        let emulated = Emulated(partitions: 1)
        let arn = try emulated.makeTable()
        try emulated.put("k", 1)
        let first = try #require(emulated.shards(arn).first).shardID
        emulated.rollOver()
        try emulated.put("k", 2)
        emulated.now = 23 * Emulated.hour
        try emulated.put("k", 3)
        #expect(try emulated.shards(arn).count == 2)
        emulated.now = 25 * Emulated.hour
        let left = try emulated.shards(arn)
        #expect(left.map(\.parent) == [first])
        let records = try emulated.records(arn, try #require(left.first).shardID)
        #expect(records.map { $0["dynamodb"]?["NewImage"]?["n"]?["N"]?.string } == ["3"])
        let gone = try emulated.error(
            .getShardIterator,
            #"{"StreamArn":"\#(arn)","ShardId":"\#(first)","ShardIteratorType":"TRIM_HORIZON"}"#)
        #expect(gone?.name == "ResourceNotFoundException")
    }

    @Test func `a shard that is too old may still be listed, and is refused in both ways`() throws {
        let emulated = Emulated(partitions: 40, lateListingMax: 2 * Emulated.hour)
        let arn = try emulated.makeTable()
        for number in 0..<100 { try emulated.put("k\(number)", number) }
        let old = try emulated.shards(arn)
        emulated.rollOver()
        emulated.now = 24 * Emulated.hour
        // Given out before the end, used after it.
        let iterators = try old.map { try emulated.iterator(arn, $0.shardID) }
        emulated.now += 10 * 60_000
        try emulated.call(.listStreams, "{}")
        emulated.now += 6 * 60_000
        emulated.service.advance(to: Emulated.start + emulated.now)
        let listed = Set(try emulated.shards(arn).map(\.shardID)).intersection(old.map(\.shardID))
        #expect(listed.count > 20)
        let renewed = try iterators.map { iterator in
            let position = try #require(ShardPosition(iterator))
            return ShardPosition(
                stream: arn, shard: position.shard, index: position.index, emptyPages: 0,
                issued: emulated.service.now
            ).text
        }
        var answers: [String: Set<String>] = [:]
        for (shard, iterator) in zip(old, renewed) {
            let reading = try emulated.error(.getRecords, #"{"ShardIterator":"\#(iterator)"}"#)
            answers["GetRecords", default: []].insert(reading?.name ?? "served")
            for (type, number) in [("TRIM_HORIZON", nil), ("AT_SEQUENCE_NUMBER", shard.start)] {
                let number = number.map { #","SequenceNumber":"\#($0)""# } ?? ""
                let refusal = try emulated.error(
                    .getShardIterator,
                    #"""
                    {"StreamArn":"\#(arn)","ShardId":"\#(shard.shardID)",
                     "ShardIteratorType":"\#(type)"\#(number)}
                    """#)
                answers[type, default: []].insert(refusal?.name ?? "served")
            }
        }
        let (trimmed, missing) = ("TrimmedDataAccessException", "ResourceNotFoundException")
        #expect(
            answers == [
                "GetRecords": [trimmed, missing], "AT_SEQUENCE_NUMBER": [trimmed, missing],
                "TRIM_HORIZON": [missing],
            ])
        emulated.now = 27 * Emulated.hour
        let left = try emulated.shards(arn)
        #expect(left.count == 40)
        #expect(left.allSatisfy { $0.parent != nil && $0.end == nil })
    }

    @Test func `a parent may be open on a page, and its child on a later one`() throws {
        let emulated = Emulated(partitions: 60, listingDelayMax: 60_000)
        let arn = try emulated.makeTable()
        let first = try emulated.call(.describeStream, #"{"StreamArn":"\#(arn)","Limit":60}"#)
        let parents = try #require(first["StreamDescription"]?["Shards"]?.array)
        #expect(parents.count == 60)
        #expect(parents.allSatisfy { $0.end == nil })
        // Everything rolls over between two pages of one listing.
        emulated.rollOver()
        emulated.now = 60_000
        let last = try #require(parents.last?.shardID)
        let second = try emulated.call(
            .describeStream, #"{"StreamArn":"\#(arn)","ExclusiveStartShardId":"\#(last)"}"#)
        let children = try #require(second["StreamDescription"]?["Shards"]?.array)
        #expect(Set(children.map(\.parent)) == Set(parents.map(\.shardID)))
    }

    @Test func `a listing may be behind, and shows open parents beside their children`() throws {
        let emulated = Emulated(partitions: 50, listingDelayMax: 60_000)
        let arn = try emulated.makeTable()
        emulated.rollOver()
        emulated.now = 30_000
        let shards = try emulated.shards(arn)
        let children = shards.filter { $0.parent != nil }
        let openParents = shards.filter { $0.parent == nil && $0.end == nil }
        #expect((1..<50).contains(children.count))
        #expect((1..<50).contains(openParents.count))
        #expect(
            openParents.contains { parent in children.contains { $0.parent == parent.shardID } })
        emulated.now = 60_000
        let settled = try emulated.shards(arn)
        #expect(settled.count == 100)
        #expect(settled.filter { $0.end == nil }.count == 50)
    }

    @Test func `the same seed gives the same answers, another one does not`() throws {
        func story(seed: UInt64) throws -> [[UInt8]] {
            let emulated = Emulated(seed: seed, rolloverInterval: Emulated.hour, emptyPagesMax: 3)
            let arn = try emulated.makeTable()
            for number in 0..<50 {
                emulated.now += 600_000
                try emulated.put("k\(number % 7)", number)
            }
            return try emulated.shards(arn).flatMap { shard in
                try [shard.bytes] + emulated.records(arn, shard.shardID).map(\.bytes)
            }
        }
        let first = try story(seed: 9)
        #expect(try first == story(seed: 9))
        #expect(try first != story(seed: 10))
    }
}
