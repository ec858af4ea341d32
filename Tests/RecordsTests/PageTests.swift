import Records
import Testing

@Suite struct PageTests {
    @Test func `records made before a time are left out, those of its own second are not`() throws {
        let times = ["99", "100", "100.5", nil, "101", "1.01E2"]
        let records = times.enumerated().map { number, time in
            let time = time.map { #","ApproximateCreationDateTime":\#($0)"# } ?? ""
            return
                #"{"eventName":"REMOVE","dynamodb":{"Keys":{},"SequenceNumber":"\#(number)"\#(time)}}"#
        }
        let page = try PageDecoder.decode(
            Array(#"{"Records":[\#(records.joined(separator: ","))],"NextShardIterator":"i"}"#.utf8)
        )

        func kept(before time: Double) -> [String?] {
            let page = page.droppingRecords(before: time)
            #expect(page.next?.text == "i")
            return page.records.map { page.sequenceNumber(of: $0)?.digits }
        }
        #expect(kept(before: 0) == ["0", "1", "2", "3", "4", "5"])
        #expect(kept(before: 100) == ["1", "2", "3", "4", "5"])
        #expect(kept(before: 100.9) == ["1", "2", "3", "4", "5"])
        #expect(kept(before: 101) == ["3", "4", "5"])
        #expect(kept(before: 1e12) == ["3"])
    }

    @Test func `what is left of a page maps to its own changes`() throws {
        let record = #"{"eventName":"MODIFY","dynamodb":{"Keys":{"Id":{"N":"#
        let page = try PageDecoder.decode(
            Array(
                #"""
                {"Records":[\#(record)"1"}},"SequenceNumber":"1","ApproximateCreationDateTime":5}},
                \#(record)"2"}},"SequenceNumber":"2","ApproximateCreationDateTime":7,"NewImage":{}}}]}
                """#.utf8))
        let mapping = Mapping(key: KeyTemplate(joining: ["Id"]))
        #expect(throws: MappingFailure.self) { try mapping.changes(in: page) }
        #expect(try mapping.changes(in: page.droppingRecords(before: 6)).model == ["2": "{}"])
    }
}
