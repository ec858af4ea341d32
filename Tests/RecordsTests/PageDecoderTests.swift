import Records
import Testing

@Suite struct PageDecoderTests {
    /// The shape of the service's own examples: compact here and pretty-printed there.
    static let example = """
        {
          "NextShardIterator": "arn:aws:dynamodb:us-west-2:111122223333:table/Forum/stream/x|1|AAA\\/g==",
          "Records": [
            {
              "awsRegion": "us-west-2",
              "dynamodb": {
                "ApproximateCreationDateTime": 1.46480643E9,
                "Keys": {"ForumName": {"S": "DynamoDB"}, "Subject": {"S": "DynamoDB Thread 3"}},
                "SequenceNumber": "300000000000000499659",
                "SizeBytes": 41,
                "StreamViewType": "KEYS_ONLY"
              },
              "eventID": "e2fd9c34eff2d779b297b26f5fef4206",
              "eventName": "INSERT",
              "eventSource": "aws:dynamodb",
              "eventVersion": "1.0"
            },
            {"eventName":"REMOVE","dynamodb":{"Keys":{"ForumName":{"S":"x"}},"OldImage":{"a":[{}, []]},
             "SequenceNumber":"400000000000000499660"},"userIdentity":null}
          ]
        }
        """

    @Test func `the service's example is read`() throws {
        let page = try decode(Self.example)
        #expect(
            page.next?.text
                == "arn:aws:dynamodb:us-west-2:111122223333:table/Forum/stream/x|1|AAA/g==")
        try #require(page.records.count == 2)
        let (first, second) = (page.records[0], page.records[1])
        #expect(first.operation == .insert)
        #expect(first.creationTime == 1_464_806_430)
        #expect(first.newImage == nil)
        #expect(page.text(first.sequenceNumber) == "300000000000000499659")
        #expect(
            page.text(first.keys)
                == #"{"ForumName": {"S": "DynamoDB"}, "Subject": {"S": "DynamoDB Thread 3"}}"#)
        #expect(second.operation == .remove)
        #expect(second.creationTime == nil)
        #expect(page.sequenceNumber(of: second)?.digits == "400000000000000499660")
    }

    @Test func `a new image is known to be canonical or not`() throws {
        func isCanonical(_ image: String) throws -> Bool? {
            let page = try decode(Self.body(#""NewImage":\#(image)"#))
            #expect(page.records.first?.newImage.map(page.text) == image)
            return page.records.first?.isNewImageCanonical
        }
        #expect(
            try isCanonical(#"{"Id":{"S":"a\n\\\"é😀\u001f"},"n":{"N":"1.50"},"m":{"M":{}}}"#)
                == true)
        #expect(try isCanonical(#"{"Id":{"S":"a"}, "n":{"N":"1.50"}}"#) == false)
        #expect(try isCanonical(#"{"Id":{"S":"\u00e9"}}"#) == false)
        #expect(try isCanonical(#"{"Id":{"S":"\/"}}"#) == false)
        #expect(try isCanonical(#"{"Id":{"S":"\u001F"}}"#) == false)
        #expect(try isCanonical(#"{"Id":{"S":"\u000a"}}"#) == false)
        #expect(try isCanonical(#"{"b":{"S":"x"},"a":{"S":"x"},"b":{"S":"y"}}"#) == false)
        #expect(try isCanonical(#"{"b":{"S":"x"},"1":{"S":"x"}}"#) == false)
    }

    @Test func `names may be escaped, members may repeat, and the last one counts`() throws {
        let page = try decode(
            #"""
            {"Records":[{}],"R\u0065cords":[{"dynamodb":{"Keys":{}},"eventName":"INSERT","event\u004eame":"REMOVE",
            "dynamodb":{"\u004beys":{"a":{"N":"1"}},"SequenceNumber":"7","SequenceNumber":"8",
            "NewImage":{"x":1},"NewImage":null,"unknown":[1,-0.5e+3,true,false,null,"\ud800"]}}],
            "NextShardIterator":"x","NextShardIterator":null}
            """#.replacing("[{}],", with: "[],"))
        try #require(page.records.count == 1)
        #expect(page.records[0].operation == .remove)
        #expect(page.text(page.records[0].keys) == #"{"a":{"N":"1"}}"#)
        #expect(page.text(page.records[0].sequenceNumber) == "8")
        #expect(page.records[0].newImage == nil)
        #expect(page.next == nil)
    }

    @Test(arguments: [
        "1479499740", "1.47949974E9", "1479499740.000", "14794997400e-1", "1.47949974E+9",
    ])
    func `creation times come in several forms`(text: String) throws {
        let page = try decode(Self.body(#""ApproximateCreationDateTime":\#(text)"#))
        #expect(page.records.first?.creationTime == 1_479_499_740)
    }

    @Test(
        arguments: [
            ("", .textEnds, 0),
            ("{}", .noRecords, 2),
            ("[]", .noObject, 0),
            (#"{"Records":null}"#, .noArray, 11),
            (#"{"Records":[]}x"#, .textGoesOn, 14),
            (#"{"Records":[],}"#, .noName, 14),
            (#"{"Records":[],"NextShardIterator":""}"#, .emptyIterator, 36),
            (#"{"Records":[],"NextShardIterator":7}"#, .noString, 34),
            (#"{"Records":[{}]}"#, .noEventName, 14),
            (#"{"Records":[{"eventName":"UPSERT"}]}"#, .unknownEventName, 33),
            (#"{"Records":[{"eventName":"INSERT"}]}"#, .noChange, 34),
            (#"{"Records":[{"eventName":"INSERT","dynamodb":{}}]}"#, .noKeys, 48),
            (
                #"{"Records":[{"eventName":"INSERT","dynamodb":{"Keys":{}}}]}"#, .noSequenceNumber,
                57
            ),
            (#"{"Records":[{"eventName":"INSERT","dynamodb":{"Keys":[]}}]}"#, .noObject, 53),
            (#"{"Records":[{"dynamodb":{"NewImage":[]}}]}"#, .noObject, 36),
            (#"{"Records":[{"dynamodb":{"SequenceNumber":"1x"}}]}"#, .badSequenceNumber, 46),
            (#"{"Records":[{"dynamodb":{"SequenceNumber":""}}]}"#, .badSequenceNumber, 44),
            (
                #"{"Records":[{"dynamodb":{"ApproximateCreationDateTime":"1"}}]}"#,
                .badCreationTime, 58
            ),
            (
                #"{"Records":[{"dynamodb":{"ApproximateCreationDateTime":1e999}}]}"#,
                .badCreationTime, 60
            ),
            (#"{"Records":[{"x":01}]}"#, .leadingZero, 19),
            (#"{"Records":[{"x":1.}]}"#, .noDigits, 19),
            (#"{"Records":[{"x":1e+}]}"#, .noDigits, 20),
            (#"{"Records":[{"x":-}]}"#, .noDigits, 18),
            (#"{"Records":[{"x":tru}]}"#, .noValue, 17),
            (#"{"Records":[{"x":+1}]}"#, .noValue, 17),
            (#"{"Records":[{"x":[1,]}]}"#, .noValue, 20),
            (#"{"Records":[{"x":{"a"}}]}"#, .noColon, 21),
            (#"{"Records":[{"x":{"a":1,}}]}"#, .noName, 24),
            (#"{"Records":[{"x":[1}}]}"#, .noComma, 19),
            (#"{"Records":[{"x":{"a":1]}]}"#, .noComma, 23),
            (#"{"Records":[{"x":"\q"}]}"#, .unknownEscape, 18),
            (#"{"Records":[{"x":"\u12g4"}]}"#, .escapeDigits, 18),
            ("{\"Records\":[{\"x\":\"\n\"}]}", .stringControlCharacter, 18),
            ("{\"Records\":\u{b}[]}", .controlCharacter, 11),
            (#"{"Records":[{"x":"abc"#, .textEnds, 21),
            (#"{"Records":[{"x":"abc\"#, .textEnds, 21),
            (#"{"Records":[{"x":"\ud8"#, .escapeDigits, 18),
        ] as [(String, MalformedJSON.Problem, Int)])
    func `what is no answer of GetRecords is refused, with the place`(
        text: String, problem: MalformedJSON.Problem, offset: Int
    ) {
        let error = #expect(throws: MalformedJSON.self) { try decode(text) }
        #expect(error == MalformedJSON(problem, at: offset))
    }

    @Test func `names that only look alike are not taken for known ones`() throws {
        // KELVIN SIGN is the same as K to String's ==.
        #expect(throws: MalformedJSON.self) {
            try decode(Self.body("").replacing("Keys", with: "\u{212a}eys"))
        }
        #expect(throws: MalformedJSON.self) {
            try decode(Self.body("").replacing("Keys", with: #"\u212aeys"#))
        }
    }

    @Test func `nesting has a limit, and what is within it is read`() throws {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            Self.body(
                #""x":"# + String(repeating: open, count: depth) + "1"
                    + String(repeating: close, count: depth))
        }
        // Four levels are outside of the value.
        for (open, close) in [("[", "]"), (#"{"a":"#, "}"), (#"[{"a":"#, "}]")] {
            let perStep = open.filter { "[{".contains($0) }.count
            #expect(throws: Never.self) { try decode(nested(508 / perStep, open, close)) }
            #expect(throws: MalformedJSON.self) {
                try decode(nested(508 / perStep + 1, open, close))
            }
        }
        #expect(throws: MalformedJSON.self) {
            try PageDecoder.decode(Array(repeating: UInt8(ascii: "["), count: 1_000_000))
        }
    }

    /// A page of one record, to whose `dynamodb` some members are added.
    static func body(_ members: String) -> String {
        let comma = members.isEmpty ? "" : ","
        return #"{"Records":[{"eventName":"MODIFY","dynamodb":{"Keys":{"Id":{"S":"a"}},"#
            + #""SequenceNumber":"1"\#(comma)\#(members)}}],"NextShardIterator":"i"}"#
    }

    @discardableResult
    private func decode(_ text: String) throws -> Page {
        try PageDecoder.decode(Array(text.utf8))
    }
}

extension Page {
    /// The part of the page's text at `range`.
    func text(_ range: ByteRange) -> String {
        String(decoding: bytes[range.indices], as: UTF8.self)
    }
}
