import Foundation
import Records
import TestBed
import Testing

/// The whole way from a page's bytes to the state of the cache, against JavaScript itself.
///
/// JavaScript/pages.mjs says in a few lines what the decoder, the canonical form and the mapping say in
/// many; both have to give the same line of text for every page.
@Suite struct JavaScriptTests {
    @Test func `thousands of pages lead to the state that JavaScript's function would leave`()
        async throws
    {
        var pages: [[UInt8]] = []
        for seed in 0..<4_000 {
            var page = RandomPage(seed: UInt64(seed))
            pages.append(Array(page.page(recordLimit: 6).utf8))
        }
        let refused = try await compare(pages).count { $0 == "refused" }
        #expect(refused == 0, "the generator no longer makes pages")
    }

    @Test func `twenty thousand damaged pages are refused where JavaScript refuses them`()
        async throws
    {
        var pages: [[UInt8]] = []
        for seed in 0..<20_000 {
            var page = RandomPage(seed: UInt64(seed) << 32)
            pages.append(page.mutated(page.page(recordLimit: 2)))
        }
        let answers = try await compare(pages)
        #expect(answers.contains("refused") && answers.contains("not-utf8"))
        #expect(answers.contains { $0.contains("|") })
    }

    /// Expects the same answer for each page from JavaScript, and returns the answers.
    private func compare(_ pages: [[UInt8]]) async throws -> [Substring] {
        let lines = pages.map { Data($0).base64EncodedString() + "\n" }.joined()
        let output = try await Node.run("JavaScript/pages.mjs", input: Data(lines.utf8))
        let answers = String(decoding: output, as: UTF8.self).split(separator: "\n")
        try #require(answers.count == pages.count)
        for (page, answer) in zip(pages, answers) {
            let ours = Self.answer(page)
            // Bytes that are not UTF-8 matter only where they would get into the cache.
            if answer != "not-utf8" && ours != answer {
                Issue.record(
                    "\(String(decoding: page, as: UTF8.self))\n  JavaScript: \(answer)\n  ours: \(ours)"
                )
            }
        }
        return answers
    }

    /// The line that pages.mjs would write.
    private static func answer(_ bytes: [UInt8]) -> String {
        guard let page = try? PageDecoder.decode(bytes) else { return "refused" }
        let next = page.next.map { base64(Array($0.text.utf8)) } ?? "-"
        let records = page.records.map { record in
            let name =
                switch record.operation {
                case .insert: "INSERT"
                case .modify: "MODIFY"
                case .remove: "REMOVE"
                }
            let bits = record.creationTime.map { String($0.bitPattern, radix: 16) }
            let time = bits.map { String(repeating: "0", count: 16 - $0.count) + $0 }
            return "\(name):\(page.text(record.sequenceNumber)):\(time ?? "-")"
        }
        return "\(([next] + records).joined(separator: ","))|\(state(page))"
    }

    private static func state(_ page: Page) -> String {
        let mapping = Mapping(key: KeyTemplate(joining: ["Id"]))
        guard let changes = try? mapping.changes(in: page) else { return "unmapped" }
        var entries: [String] = []
        changes.forEach(in: 0..<changes.count) { key, value in
            let value = value.map { base64(Array($0)) } ?? "-"
            entries.append("\(base64(Array(key)))=\(value)")
        }
        return entries.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.joined(separator: ",")
    }

    private static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
}
