import TestBed

/// Random pages for the tests: shaped like the service's, with all that JSON allows in them.
struct RandomPage {
    private var random: SeededRandom
    private var text = ""
    /// The page is compact where there is none, as the service's pages are.
    private var whiteSpaceChance = 0
    /// Whether strings are already written as JavaScript writes them, and names ordinary.
    private var isPlain = false

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// A page of up to `recordLimit` records, as text.
    mutating func page(recordLimit: Int) -> String {
        text = ""
        whiteSpaceChance = random.oneIn(2) ? 0 : Int.random(in: 1...4, using: &random)
        isPlain = random.oneIn(3)
        let count = Int.random(in: 0...recordLimit, using: &random)
        var members = [
            member("Records") { page in
                page.list("[", "]", Array(repeating: { $0.record() }, count: count))
            }
        ]
        if !random.oneIn(4) {
            members.append(
                member("NextShardIterator") { page in
                    page.string {
                        $0.text += "i"; $0.someText()
                    }
                })
        }
        members += extras()
        object(members.shuffled(using: &random))
        return text
    }

    private typealias Writing = (inout RandomPage) -> Void

    private mutating func record() {
        let name = ["INSERT", "MODIFY", "REMOVE"].randomElement(using: &random) ?? ""
        var change = [
            member("Keys") { $0.keys() },
            member("SequenceNumber") { page in
                let count = Int.random(in: 1...40, using: &page.random)
                page.text += "\"" + page.digits(count) + "\""
            },
        ]
        if name != "REMOVE" && !random.oneIn(50) || random.oneIn(10) {
            change.append(member("NewImage") { $0.image() })
        }
        if !random.oneIn(5) {
            change.append(
                member("ApproximateCreationDateTime") { page in
                    page.text +=
                        ["1464806430", "1.46480643E9", "1464806430.25", "-1e-5", "17e+8", "0"]
                        .randomElement(using: &page.random) ?? ""
                })
        }
        change += extras()
        var members = [
            member("eventName") { $0.text += "\"\(name)\"" },
            member("dynamodb") { [change] in $0.object(change) },
        ]
        members += extras()
        object(members.shuffled(using: &random))
    }

    private mutating func keys() {
        let type = random.oneIn(60) ? "BOOL" : ["S", "N", "B"].randomElement(using: &random) ?? ""
        var members = [
            member(random.oneIn(60) ? "other" : "Id") { page in
                page.object([page.member(type) { page in page.string { $0.someText() } }])
            }
        ]
        if random.oneIn(3) { members.append(member("sort") { $0.value(2) }) }
        object(members.shuffled(using: &random))
    }

    private mutating func image() {
        let count = Int.random(in: 0...6, using: &random)
        let names = (0..<count).map { _ in name() }
        object(names.map { name in (name, { $0.value(4) }) })
    }

    /// Members that no record has, with names that come close.
    private mutating func extras() -> [(name: String, value: Writing)] {
        guard random.oneIn(3) else { return [] }
        let names = [
            "\u{212a}eys", "keys", "OldImage", "eventID", "userIdentity", "", "Record", "newImage",
        ]
        return [(quoted(names.randomElement(using: &random) ?? ""), { $0.value(3) })]
    }

    /// A value of any kind, nested at most `depth` deep but for a few that are nested very deep.
    private mutating func value(_ depth: Int) {
        let count = depth > 0 ? Int.random(in: 0...3, using: &random) : 0
        switch Int.random(in: 0..<10, using: &random) {
        case 0: text += ["true", "false", "null"].randomElement(using: &random) ?? ""
        case 1: isPlain ? text += "7" : number()
        case 2: list("[", "]", Array(repeating: { $0.value(depth - 1) }, count: count))
        case 3...5:
            let names = (0..<count).map { _ in name() }
            object(names.map { name in (name, { $0.value(depth - 1) }) })
        case 6 where random.oneIn(20):
            let levels = Int.random(in: 50...400, using: &random)
            text += String(repeating: #"{"M":"#, count: levels) + "[]"
            text += String(repeating: "}", count: levels)
        case 7: object([member("N") { $0.text += "\"" + $0.digits(38) + "\"" }])
        default: object([member("S") { page in page.string { $0.someText() } }])
        }
    }

    private mutating func number() {
        let fixed = [
            "0", "-0", "-0.0", "1", "-17", "9007199254740993", "1e21", "1E20",
            "123456789012345678901",
            "1e-6", "1e-7", "0.00000123", "5e-324", "1.7976931348623157e308", "1e400", "-1e400",
            "100", "100.50", "0.1", "123e-20", "999999999999999", "1000000000000000", "4.35", "0e5",
        ]
        if random.oneIn(2) {
            text += fixed.randomElement(using: &random) ?? ""
        } else {
            let number = Double(bitPattern: random.next())
            text += number.isFinite ? number.description : "2.50"
        }
    }

    private mutating func object(_ members: [(name: String, value: Writing)]) {
        list(
            "{", "}",
            members.map { member in
                { page in
                    page.text += member.name
                    page.whiteSpace()
                    page.text += ":"
                    page.whiteSpace()
                    member.value(&page)
                }
            })
    }

    private mutating func list(_ open: String, _ close: String, _ elements: [Writing]) {
        text += open
        whiteSpace()
        for (place, element) in elements.enumerated() {
            if place > 0 {
                text += ","
                whiteSpace()
            }
            element(&self)
            whiteSpace()
        }
        text += close
    }

    private mutating func whiteSpace() {
        guard whiteSpaceChance > 0, random.oneIn(whiteSpaceChance) else { return }
        text += ["\n", "  ", "\t", "\r\n"].randomElement(using: &random) ?? ""
    }

    private func member(
        _ name: String, _ value: @escaping Writing
    ) -> (name: String, value: Writing) {
        var copy = self
        return (copy.quoted(name), value)
    }

    /// The name of an attribute, quotes included: seldom unique, often one that JavaScript treats specially.
    private mutating func name() -> String {
        if isPlain { return "\"attribute\(Int.random(in: 0..<1000, using: &random))\"" }
        let names = [
            "a", "b", "c", "0", "1", "2", "10", "01", "-1", "1.5", "4294967294", "4294967295",
            "4294967296", "99999999999", "__proto__", "constructor", "length", "", "é", "e\u{301}",
            "a/b", "toString", "😀", "2024-01-01", "a\u{7f}",
        ]
        return quoted(names.randomElement(using: &random) ?? "")
    }

    /// A name in quotes, some of its characters as escapes.
    private mutating func quoted(_ name: String) -> String {
        guard !isPlain, random.oneIn(4) else { return "\"\(name)\"" }
        let units = name.utf16.map { unit in
            let isEscaped = unit > 0x7f || random.oneIn(3)
            return isEscaped ? escape(unit) : String(decoding: [unit], as: UTF16.self)
        }
        return "\"" + units.joined() + "\""
    }

    private mutating func escape(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16, uppercase: random.oneIn(2))
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }

    private mutating func string(_ content: (inout RandomPage) -> Void) {
        text += "\""
        content(&self)
        text += "\""
    }

    private mutating func digits(_ count: Int) -> String {
        (0..<count).map { _ in String(Int.random(in: 0...9, using: &random)) }.joined()
    }

    /// The inside of a string.
    private mutating func someText() {
        let plain = [
            "a", "item-7", "lorem ipsum dolor", "é", "😀", "\u{2028}", "\u{7f}", "中文", ":/{}[],",
        ]
        let canonical = [#"\n"#, #"\""#, #"\\"#, #"\u0000"#, #"\u001f"#, #"\t\r\b\f"#]
        let others = [
            #"\/"#, #"\u001F"#, #"\u000a"#, #"\u0041"#, #"\u2028"#, #"\u00e9"#, #"\ud83d\ude00"#,
            #"\uD83D\uDE00"#, #"\ud83d"#, #"\ude00"#, #"\ude00\ud83d"#, #"\ud83d\ud83d\ude00"#,
            #"\ud83dx"#, #"\ud83d\n"#, #"\uDBFF\uDFFF"#, #"\uffff"#, #"\u0022"#, #"\u005c"#,
            #"\ud83d😀"#,
        ]
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            let kinds = isPlain ? [plain, canonical] : [plain, canonical, others]
            let kind = kinds.randomElement(using: &random) ?? plain
            text += kind.randomElement(using: &random) ?? ""
        }
    }
}

extension RandomPage {
    /// The page's bytes with one to four random changes: most of the time no JSON any more.
    mutating func mutated(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "0", "-", "1e", ".", "null",
            "true",
            " ", "\n", "\u{1}", "\"Keys\":", "\"Records\":[", "é", "{\"S\":\"",
        ]
        for _ in 0...Int.random(in: 0...3, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 0...8, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes.removeSubrange(place..<end)
            case 1: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 2: bytes.removeSubrange(place...)
            case 3 where place < bytes.count:
                bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 4:
                bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            default:
                let piece = pieces.randomElement(using: &random) ?? ""
                bytes.insert(contentsOf: piece.utf8, at: place)
            }
        }
        return bytes
    }
}
