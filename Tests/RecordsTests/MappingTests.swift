import Records
import TestBed
import Testing

@Suite struct MappingTests {
    private let mapping = Mapping(key: KeyTemplate(joining: ["Id"]))

    @Test
    func `an item that was written is set to its canonical image, one that is gone is removed`()
        throws
    {
        let changes = try changes(
            record("INSERT", key: #"{"S":"a"}"#, image: #"{"Id":{"S":"a"},"n":{"N":"1.50"}}"#),
            record("MODIFY", key: #"{"S":"b"}"#, image: #" { "Id" : {"S":"\u00e9\/"} } "#),
            record("REMOVE", key: #"{"S":"c"}"#),
            record("REMOVE", key: #"{"S":"d"}"#, image: #"{"Id":{"S":"d"}}"#))
        #expect(
            changes == [
                "a": #"{"Id":{"S":"a"},"n":{"N":"1.50"}}"#,
                "b": #"{"Id":{"S":"é/"}}"#,
                "c": nil,
                "d": nil,
            ])
    }

    @Test func `an image that is canonical already stays where it is`() throws {
        let page = try PageDecoder.decode(
            Self.page(record("INSERT", key: #"{"S":"a"}"#, image: #"{"Id":{"S":"a"}}"#)))
        let change = try #require(try mapping.changes(in: page).changes.first)
        #expect(change.value == page.records.first?.newImage.map { .page($0) })
    }

    @Test func `the last change of a key is the one that counts`() throws {
        let changes = try changes(
            record("INSERT", key: #"{"S":"a"}"#, image: #"{"v":{"N":"1"}}"#),
            record("INSERT", key: #"{"S":"b"}"#, image: #"{"v":{"N":"2"}}"#),
            record("MODIFY", key: #"{"S":"\u0061"}"#, image: #"{"v":{"N":"3"}}"#),
            record("REMOVE", key: #"{"S":"b"}"#))
        #expect(changes == ["a": #"{"v":{"N":"3"}}"#, "b": nil])
    }

    @Test func `numbers and binary keys are named as the service writes them`() throws {
        let changes = try changes(
            record("REMOVE", key: #"{"N":"-12345678901234567890123456789012345678"}"#),
            record("REMOVE", key: #"{"B":"\/+8="}"#),
            record("REMOVE", key: #"{"S":"half \ud800 pair"}"#))
        #expect(
            Set(changes.keys) == [
                "-12345678901234567890123456789012345678", "/+8=", "half \u{fffd} pair",
            ])
    }

    @Test(arguments: [
        (
            #"{"eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"a"}},"SequenceNumber":"17"}}"#,
            "there is no {Id} among its keys"
        ),
        (
            #"{"eventName":"REMOVE","dynamodb":{"Keys":{"Id":"a"},"SequenceNumber":"17"}}"#,
            "{Id} is not a string"
        ),
        (
            #"{"eventName":"REMOVE","dynamodb":{"Keys":{"Id":{}},"SequenceNumber":"17"}}"#,
            "{Id} is not a string"
        ),
        (
            #"{"eventName":"REMOVE","dynamodb":{"Keys":{"Id":{"S":1}},"SequenceNumber":"17"}}"#,
            "{Id} is not a string"
        ),
        (
            #"{"eventName":"REMOVE","dynamodb":{"Keys":{"Id":{"BOOL":true}},"SequenceNumber":"17"}}"#,
            "{Id} is not a string"
        ),
        (
            #"{"eventName":"REMOVE","dynamodb":{"Keys":{"Id":{"S":"a","N":"1"}},"SequenceNumber":"17"}}"#,
            "{Id} is not a string"
        ),
        (
            #"{"eventName":"MODIFY","dynamodb":{"Keys":{"Id":{"S":"a"}},"SequenceNumber":"17"}}"#,
            "it has no NewImage"
        ),
    ])
    func `a record that leads to no change is named, its content is not`(
        record: String, problem: String
    ) throws {
        let page = try PageDecoder.decode(Self.page(record))
        let error = #expect(throws: MappingFailure.self) { try mapping.changes(in: page) }
        #expect(error?.sequenceNumber == "17")
        #expect("\(try #require(error))".hasPrefix("record 17: "))
        #expect("\(try #require(error))".contains(problem))
    }

    @Test func `bytes that are not UTF-8 are refused, not mended`() throws {
        for (text, problem) in [
            (record("INSERT", key: #"{"S":"a"}"#, image: #"{"Id":{"S":"!"}}"#), "its NewImage"),
            (record("INSERT", key: #"{"S":"!"}"#, image: #"{"Id":{"S":"a"}}"#), "its keys"),
        ] {
            let bytes = Self.page(text).map { $0 == UInt8(ascii: "!") ? 0xff : $0 }
            let page = try PageDecoder.decode(bytes)
            let error = #expect(throws: MappingFailure.self) { try mapping.changes(in: page) }
            #expect("\(try #require(error))".contains("\(problem) cannot be read"))
        }
    }

    @Test func `an image that is overwritten in the same page need not be usable`() throws {
        let changes = try changes(
            record("INSERT", key: #"{"S":"a"}"#), record("REMOVE", key: #"{"S":"a"}"#))
        #expect(changes == ["a": nil])
    }

    @Test(arguments: [(1, 1), (10, 3), (1_000, 7), (1_000, 600), (1_000, 1_000_000)])
    func `folding agrees with a plain dictionary`(records: Int, keys: Int) throws {
        var random = SeededRandom(seed: UInt64(records * 31 + keys))
        var texts: [String] = []
        var model: [String: String?] = [:]
        for number in 0..<records {
            let key = "key-\(Int.random(in: 0..<keys, using: &random))"
            let isGone = Int.random(in: 0..<4, using: &random) == 0
            let image = #"{"v":{"N":"\#(number)"}}"#
            model.updateValue(isGone ? nil : image, forKey: key)
            texts.append(
                isGone
                    ? record("REMOVE", key: #"{"S":"\#(key)"}"#)
                    : record("MODIFY", key: #"{"S":"\#(key)"}"#, image: image))
        }
        #expect(try changes(texts) == model)
    }

    @Test func `the deepest image that is read can be written anew`() throws {
        // Four levels are outside of the image, it is one itself, and the array is the last of 512.
        for levels in [1, 32, 506] {
            let open = String(repeating: #"{"2":1, "1":"#, count: levels)
            let written = String(repeating: #"{"1":"#, count: levels)
            let close = String(repeating: "}", count: levels)
            let closed = String(repeating: #","2":1}"#, count: levels)
            let changes = try changes(
                record("INSERT", key: #"{"S":"a"}"#, image: #"{ "x":\#(open)[]\#(close)}"#))
            #expect(changes == ["a": #"{"x":\#(written)[]\#(closed)}"#])
        }
    }

    @Test func `an object of very many members is written in JavaScript's order`() throws {
        let numbers = (0..<5_000).map { $0 * 7_919 % 5_003 }
        let members = (numbers + numbers).map { #""\#($0)":\#($0)"# } + [#""last":0"#]
        let expected = numbers.sorted().map { #""\#($0)":\#($0)"# } + [#""last":0"#]
        let changes = try changes(
            record(
                "INSERT", key: #"{"S":"a"}"#, image: "{\(members.joined(separator: ","))}"))
        #expect(changes == ["a": "{\(expected.joined(separator: ","))}"])
    }

    @Test func `an empty page changes nothing`() throws {
        #expect(try changes([]) == [:])
    }

    private func record(_ name: String, key: String, image: String? = nil) -> String {
        let image = image.map { #","NewImage":\#($0)"# } ?? ""
        return #"{"eventName":"\#(name)","dynamodb":{"Keys":{"Id":\#(key)}\#(image),"#
            + #""SequenceNumber":"17"}}"#
    }

    private static func page(_ records: String...) -> [UInt8] {
        Array(#"{"Records":[\#(records.joined(separator: ","))]}"#.utf8)
    }

    private func changes(_ records: String...) throws -> [String: String?] {
        try changes(records)
    }

    private func changes(_ records: [String]) throws -> [String: String?] {
        let page = try PageDecoder.decode(Self.page(records.joined(separator: ",")))
        return try mapping.changes(in: page).model
    }
}

extension ChangeSet {
    /// The changes as a plain dictionary: key to value, or to nil where it is removed.
    var model: [String: String?] {
        var model: [String: String?] = [:]
        forEach(in: 0..<count) { key, value in
            let key = String(decoding: key, as: UTF8.self)
            let isNew =
                model.updateValue(
                    value.map { String(decoding: $0, as: UTF8.self) }, forKey: key) == nil
            #expect(isNew, "a key is changed twice")
        }
        return model
    }
}
