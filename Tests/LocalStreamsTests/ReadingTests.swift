import Testing

@testable import LocalStreams

@Suite struct ReadingTests {
    /// A stream of one shard with records 0, 1, 2 and so on, and the shard's name.
    private static func shard(
        of count: Int, emptyPagesMax: Int = 0, seed: UInt64 = 1
    ) throws -> (Emulated, arn: String, shard: String) {
        let emulated = Emulated(seed: seed, partitions: 1, emptyPagesMax: emptyPagesMax)
        let arn = try emulated.makeTable()
        for number in 0..<count { try emulated.put("k\(number)", number) }
        return (emulated, arn, try #require(emulated.shards(arn).first).shardID)
    }

    @Test func `an iterator begins at, after, before everything or behind it`() throws {
        let (emulated, arn, shard) = try Self.shard(of: 5)
        let numbers = try emulated.records(arn, shard).map(\.sequenceNumber)
        let start = try #require(emulated.shards(arn).first).start
        let cases: [(String, String?, [String])] = [
            ("TRIM_HORIZON", nil, numbers),
            ("LATEST", nil, []),
            ("AT_SEQUENCE_NUMBER", numbers[2], Array(numbers[2...])),
            ("AFTER_SEQUENCE_NUMBER", numbers[2], Array(numbers[3...])),
            ("AT_SEQUENCE_NUMBER", start, numbers),
            ("AFTER_SEQUENCE_NUMBER", start, numbers),
            ("AFTER_SEQUENCE_NUMBER", numbers[4], []),
        ]
        for (type, number, expected) in cases {
            let iterator = try emulated.iterator(arn, shard, type, number)
            #expect(try emulated.page(iterator).records.map(\.sequenceNumber) == expected)
        }
    }

    @Test func `latest is the moment of the call, and an iterator can be used again`() throws {
        let (emulated, arn, shard) = try Self.shard(of: 3)
        let latest = try emulated.iterator(arn, shard, "LATEST")
        try emulated.put("new", 1)
        let first = try emulated.page(latest)
        #expect(first.records.count == 1)
        try emulated.put("newer", 1)
        #expect(try emulated.page(latest, limit: 1).records == first.records)
        let next = try #require(first.next)
        #expect(try emulated.page(next).records.count == 1)
    }

    @Test func `a page holds at most a thousand records and a megabyte`() throws {
        let (emulated, arn, shard) = try Self.shard(of: 1_200)
        #expect(try emulated.page(emulated.iterator(arn, shard)).records.count == 1_000)
        let text = String(repeating: "x", count: 300_000)
        for number in 0..<5 {
            try emulated.call(
                .putItem,
                #"{"TableName":"items","Item":{"id":{"S":"big\#(number)"},"t":{"S":"\#(text)"}}}"#)
        }
        let numbers = try emulated.records(arn, shard).map(\.sequenceNumber)
        #expect(numbers.count == 1_205)
        let iterator = try emulated.iterator(arn, shard, "AT_SEQUENCE_NUMBER", numbers[1_200])
        #expect(try emulated.page(iterator).records.count == 3)
    }

    @Test func `one record that is larger than a page comes alone`() throws {
        let (emulated, arn, shard) = try Self.shard(of: 0)
        let text = String(repeating: "x", count: 400_000)
        for letter in ["a", "b", "c"] {
            try emulated.call(
                .putItem,
                #"{"TableName":"items","Item":{"id":{"S":"k"},"t":{"S":"\#(letter)\#(text)"}}}"#)
        }
        var next: String? = try emulated.iterator(arn, shard)
        var counts: [Int] = []
        while let iterator = next, counts.count < 4 {
            let page = try emulated.page(iterator)
            counts.append(page.records.count)
            next = page.next
        }
        // 0.4 MB, then twice 0.8 MB with both images.
        #expect(counts == [1, 1, 1, 0])
    }

    @Test func `an open shard always has a next page, a closed one ends with its last record`()
        throws
    {
        let (emulated, arn, shard) = try Self.shard(of: 10)
        let page = try emulated.page(emulated.iterator(arn, shard), limit: 10)
        let open = try #require(page.next)
        #expect(try emulated.page(open).next != nil)
        emulated.rollOver()
        let last = try emulated.page(emulated.iterator(arn, shard), limit: 10)
        #expect(last.records.count == 10 && last.next == nil)
        let behind = try emulated.page(open)
        #expect(behind.records.isEmpty && behind.next == nil)
        let latest = try emulated.page(emulated.iterator(arn, shard, "LATEST"))
        #expect(latest.records.isEmpty && latest.next == nil)
    }

    @Test func `empty pages come before the first record and after the last`() throws {
        var (leading, trailing) = (Set<Int>(), Set<Int>())
        for seed: UInt64 in 1...30 {
            let (emulated, arn, shard) = try Self.shard(of: 3, emptyPagesMax: 2, seed: seed)
            emulated.rollOver()
            var next: String? = try emulated.iterator(arn, shard)
            var counts: [Int] = []
            while let iterator = next {
                let page = try emulated.page(iterator)
                counts.append(page.records.count)
                next = page.next
            }
            #expect(counts.reduce(0, +) == 3)
            leading.insert(counts.prefix { $0 == 0 }.count)
            trailing.insert(counts.reversed().prefix { $0 == 0 }.count)
        }
        #expect(leading == [0, 1, 2])
        #expect(trailing == [0, 1, 2])
    }

    @Test func `here and there a shard has empty pages between two records`() throws {
        let (emulated, arn, shard) = try Self.shard(of: 2_000, emptyPagesMax: 5)
        emulated.rollOver()
        var next: String? = try emulated.iterator(arn, shard)
        var (counts, numbers) = ([Int](), [String]())
        while let iterator = next {
            let page = try emulated.page(iterator)
            counts.append(page.records.count)
            numbers += page.records.map(\.sequenceNumber)
            next = page.next
        }
        #expect(numbers.count == 2_000)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { comesBefore($0, $1) })
        // Between the first page with records and the last one.
        let middle = counts.drop { $0 == 0 }.reversed().drop { $0 == 0 }
        let stretches = Set(middle.split { $0 > 0 }.map(\.count))
        #expect(stretches == [1, 2, 3, 4, 5])
        // An iterator by number may begin with empty pages as well; nothing is lost behind them.
        for index in 0..<200 {
            var at: String? = try emulated.iterator(
                arn, shard, "AFTER_SEQUENCE_NUMBER", numbers[index])
            var first: String?
            while let iterator = at, first == nil {
                let page = try emulated.page(iterator, limit: 1)
                first = page.records.first?.sequenceNumber
                at = page.next
            }
            #expect(first == numbers[index + 1])
        }
    }

    @Test func `an iterator at the end of a closed shard ends at once, whatever the end's number`()
        throws
    {
        var ends: Set<Bool> = []
        for seed: UInt64 in 1...8 {
            let (emulated, arn, shard) = try Self.shard(of: 3, seed: seed)
            let numbers = try emulated.records(arn, shard).map(\.sequenceNumber)
            emulated.rollOver()
            let end = try #require(emulated.shards(arn).first?.end)
            let isRecord = end == numbers.last
            ends.insert(isRecord)
            let after = try emulated.page(
                emulated.iterator(arn, shard, "AFTER_SEQUENCE_NUMBER", end))
            #expect(after.records.isEmpty && after.next == nil)
            let at = try emulated.page(emulated.iterator(arn, shard, "AT_SEQUENCE_NUMBER", end))
            #expect(at.records.map(\.sequenceNumber) == (isRecord ? [end] : []))
            #expect(at.next == nil)
        }
        #expect(ends == [true, false], "the last record's number, and one after it")
    }

    @Test func `records come into sight late and in order, even behind latest and an end`() throws {
        let emulated = Emulated(partitions: 1, recordDelayMax: 10_000)
        let arn = try emulated.makeTable()
        let shard = try #require(emulated.shards(arn).first).shardID
        var readable: [Int] = []
        for number in 0..<50 {
            try emulated.put("k\(number)", number)
            readable.append(try emulated.page(emulated.iterator(arn, shard)).records.count)
            emulated.now += 1_000
        }
        #expect(zip(readable, 1...).allSatisfy { $0 < $1 }, "\(readable)")
        #expect(readable == readable.sorted() && Set(readable).count > 5, "\(readable)")
        emulated.now += 10_000
        #expect(try emulated.page(emulated.iterator(arn, shard)).records.count == 50)

        for number in 50..<100 { try emulated.put("k\(number)", number) }
        // After the newest record that can be read, whatever was written before.
        let latest = try emulated.iterator(arn, shard, "LATEST")
        emulated.rollOver()
        #expect(try emulated.page(latest).next != nil, "the end is behind what can't be read yet")
        emulated.now += 10_000
        var next: String? = latest
        var late: [JSON] = []
        while let iterator = next {
            let page = try emulated.page(iterator)
            late += page.records
            next = page.next
        }
        #expect(late.count == 50)
        let numbers = try emulated.records(arn, shard).map(\.sequenceNumber)
        #expect(numbers.count == 100)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { comesBefore($0, $1) })
    }

    @Test func `an iterator lives for fifteen minutes`() throws {
        let (emulated, arn, shard) = try Self.shard(of: 1)
        let iterator = try emulated.iterator(arn, shard)
        emulated.now = 15 * 60_000
        let next = try #require(emulated.page(iterator).next)
        emulated.now += 1
        let error = try emulated.error(.getRecords, #"{"ShardIterator":"\#(iterator)"}"#)
        #expect(error?.name == "ExpiredIteratorException")
        #expect(try emulated.page(next).records.isEmpty, "each next iterator is new")
    }

    @Test func `what was trimmed is refused by number and by iterator, and skipped by horizon`()
        throws
    {
        let (emulated, arn, shard) = try Self.shard(of: 3)
        let old = try emulated.records(arn, shard).map(\.sequenceNumber)
        emulated.now = 24 * Emulated.hour - 60_000
        let iterator = try emulated.iterator(arn, shard)
        try emulated.put("new", 1)
        emulated.now = 24 * Emulated.hour + 10 * 60_000
        try emulated.call(.listStreams, "{}")
        emulated.now += 4 * 60_000
        emulated.service.advance(to: Emulated.start + 25 * Emulated.hour)
        #expect(try emulated.records(arn, shard).count == 1)
        for type in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] {
            let error = try emulated.error(
                .getShardIterator,
                #"""
                {"StreamArn":"\#(arn)","ShardId":"\#(shard)","ShardIteratorType":"\#(type)",
                 "SequenceNumber":"\#(old[1])"}
                """#)
            #expect(error?.name == "TrimmedDataAccessException")
        }
        let after = try emulated.iterator(arn, shard, "AFTER_SEQUENCE_NUMBER", old[2])
        #expect(try emulated.page(after).records.count == 1, "nothing after it was lost")
        let position = try #require(ShardPosition(iterator))
        let renewed = ShardPosition(
            stream: arn, shard: shard, index: position.index, emptyPages: 0,
            issued: emulated.service.now)
        let error = try emulated.error(.getRecords, #"{"ShardIterator":"\#(renewed.text)"}"#)
        #expect(error?.name == "TrimmedDataAccessException")
    }

    @Test func `a stream that is switched off is closed, and can be read for a day`() throws {
        let (emulated, arn, shard) = try Self.shard(of: 3)
        let iterator = try emulated.iterator(arn, shard)
        let off = #"{"TableName":"items","StreamSpecification":{"StreamEnabled":false}}"#
        try emulated.call(.updateTable, off)
        try emulated.put("unrecorded", 1)
        #expect(try emulated.page(iterator).records.count == 3)
        let shards = try emulated.shards(arn)
        #expect(shards.map { $0.end != nil } == [true])
        let description = try emulated.call(.describeStream, #"{"StreamArn":"\#(arn)"}"#)
        #expect(description["StreamDescription"]?["StreamStatus"]?.string == "DISABLED")

        let on =
            #"{"TableName":"items","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}}"#
        let table = try emulated.call(.updateTable, on)
        let other = try #require(table["TableDescription"]?["LatestStreamArn"]?.string)
        #expect(other != arn)
        #expect(try emulated.records(other, #require(emulated.shards(other).first).shardID).isEmpty)
        let listed = try emulated.call(.listStreams, #"{"TableName":"items"}"#)["Streams"]?.array
        #expect(listed?.compactMap { $0["StreamArn"]?.string } == [arn, other])

        emulated.now = 25 * Emulated.hour
        let gone = try emulated.error(.describeStream, #"{"StreamArn":"\#(arn)"}"#)
        #expect(gone?.message == "Requested resource not found: Stream: \(arn) not found")
        #expect(try emulated.shards(other).count == 1)
    }

    @Test func `a split outlives the stream that it was made in`() throws {
        let (emulated, _, shard) = try Self.shard(of: 0)
        #expect(emulated.split(shard))
        for enabled in ["false", #"true,"StreamViewType":"NEW_IMAGE""#] {
            try emulated.call(
                .updateTable,
                #"{"TableName":"items","StreamSpecification":{"StreamEnabled":\#(enabled)}}"#)
        }
        #expect(emulated.service.openStream(of: "items")?.open.count == 2)
    }
}
