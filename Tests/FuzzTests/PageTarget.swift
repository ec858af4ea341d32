import Foundation

@testable import Records

/// What is decoded lies inside the page, is what Foundation finds as well, and can be mapped and read.
enum PageTarget {
    private static let templates = ["{pk}", "user:{pk}:{sk}", "{{{sk}}}{pk}{pk}", "{Id}"].map {
        text in
        guard let template = try? KeyTemplate(text) else {
            preconditionFailure("\(text) is no template")
        }
        return template
    }

    /// Reads an answer of GetRecords.
    static func read(_ input: [UInt8]) throws {
        let page: Page
        do {
            page = try PageDecoder.decode(input)
        } catch {
            return try expect(
                (0...input.count).contains(error.offset), "the fault lies outside the page")
        }
        for record in page.records { try check(record, of: page) }
        for template in templates { try map(page, template) }
        try compare(page)
    }

    private static func check(_ record: Record, of page: Page) throws {
        let ends = (first: UInt8(ascii: "{"), last: UInt8(ascii: "}"))
        for range in [record.keys, record.newImage].compactMap(\.self) {
            try expect(range.end <= page.bytes.count, "an object ends outside the page")
            let text = page.bytes[range.indices]
            try expect(
                text.first == ends.first && text.last == ends.last, "an object has no braces")
        }
        try expect(record.sequenceNumber.end <= page.bytes.count, "a number ends outside the page")
        try expect(page.sequenceNumber(of: record) != nil, "a sequence number is none")
        try expect(record.creationTime?.isFinite != false, "a time is not finite")
        guard let image = record.newImage else { return }
        var canonical: [UInt8] = []
        do {
            try page.bytes.withUnsafeBufferPointer {
                try CanonicalJSON.append(image, of: $0, to: &canonical)
            }
        } catch {
            return try expect(!record.isNewImageCanonical, "what is canonical cannot be read")
        }
        if record.isNewImageCanonical {
            try expect(
                canonical.elementsEqual(page.bytes[image.indices]),
                "what is canonical is written otherwise")
        }
        var again: [UInt8] = []
        try canonical.withUnsafeBufferPointer {
            try CanonicalJSON.append(ByteRange(0, canonical.count), of: $0, to: &again)
        }
        try expect(again == canonical, "what was made canonical is written otherwise again")
    }

    private static func map(_ page: Page, _ template: KeyTemplate) throws {
        guard let changes = try? Mapping(key: template).changes(in: page) else { return }
        try expect(changes.count <= page.records.count, "there are more changes than records")
        var keys: Set<[UInt8]> = []
        var areObjects = true
        changes.forEach(in: 0..<changes.count) { key, value in
            keys.insert(Array(key))
            if let value {
                let bytes = Array(value)
                areObjects =
                    areObjects && bytes.first == UInt8(ascii: "{")
                    && bytes.last == UInt8(ascii: "}")
            }
        }
        try expect(keys.count == changes.count, "two changes have one key")
        try expect(areObjects, "a value is no object")
    }

    /// The answer as Foundation reads it.
    private struct Answer: Decodable {
        struct Record: Decodable {
            struct Change: Decodable {
                let number: String
                enum CodingKeys: String, CodingKey { case number = "SequenceNumber" }
            }
            let eventName: String
            let dynamodb: Change
        }
        let records: [Record]
        let next: String?
        enum CodingKeys: String, CodingKey {
            case records = "Records"
            case next = "NextShardIterator"
        }
    }

    /// Compares with what Foundation reads, where both have to agree.
    ///
    /// Foundation refuses two things that are passed over here: bytes that are not UTF-8, where nobody looks at
    /// them, and halves of surrogate pairs, which JSON allows. Of members of one name it takes the first one, where
    /// the last one counts here as it does in JavaScript.
    private static func compare(_ page: Page) throws {
        guard let text = String(validating: page.bytes, as: UTF8.self),
            !text.utf8.indices.contains(where: {
                text.utf8[$0...].starts(with: #"\ud"#.utf8)
                    || text.utf8[$0...].starts(with: #"\uD"#.utf8)
            })
        else { return }
        let names = names(in: page.bytes)
        for (name, count) in [
            ("Records", 1), ("eventName", page.records.count), ("dynamodb", page.records.count),
            ("SequenceNumber", page.records.count),
        ] where names[name, default: 0] > count { return }
        guard names["NextShardIterator", default: 0] <= 1 else { return }
        let answer: Answer
        do {
            answer = try JSONDecoder().decode(Answer.self, from: Data(page.bytes))
        } catch {
            throw Finding(description: "Foundation does not read the page: \(error)")
        }
        try expect(answer.next == page.next?.text, "the iterator is another one")
        let numbers = page.records.map {
            String(decoding: page.bytes[$0.sequenceNumber.indices], as: UTF8.self)
        }
        try expect(
            answer.records.map(\.dynamodb.number) == numbers, "the records are others")
    }

    /// How often each name comes in a JSON text, whatever object it is in.
    private static func names(in bytes: [UInt8]) -> [String: Int] {
        var names: [String: Int] = [:]
        var place = 0
        while let start = bytes[place...].firstIndex(of: UInt8(ascii: "\"")) {
            var end = start + 1
            while bytes[end] != UInt8(ascii: "\"") {
                end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1
            }
            place = end + 1
            let next = bytes[place...].first { !" \t\r\n".utf8.contains($0) }
            guard next == UInt8(ascii: ":") else { continue }
            let text = Data(bytes[start...end])
            // An escape may stand for any letter of a name.
            let name =
                text.contains(UInt8(ascii: "\\"))
                ? try? JSONDecoder().decode(String.self, from: text) : nil
            names[
                name ?? String(decoding: text.dropFirst().dropLast(), as: UTF8.self), default: 0] +=
                1
        }
        return names
    }
}
