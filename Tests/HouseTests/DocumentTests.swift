import Foundation
import Testing

@testable import shardwalk

/// Documents that people rely on name what the program has.
@Suite struct DocumentTests {
    @Test func `every exit code is in the operator's table`() throws {
        let table = try Repository.text("docs/operations.md")
        for code in [0, 64] + Exit.allCases.map(\.rawValue) {
            #expect(table.contains("\n| \(code) | "), "exit code \(code) is not explained")
        }
    }

    @Test func `the messages in the operator's table are those of the program`() throws {
        let sources = try Repository.swiftFiles(in: "Sources").map(Repository.text).joined()
        let page = try Repository.text("docs/operations.md")
        let begin = try #require(page.firstRange(of: "| Message |"))
        let table = page[begin.upperBound...].prefix(while: { $0 != "#" })
        let rows = table.split(separator: "\n").filter { $0.hasPrefix("| `") }
        #expect(rows.count > 10)
        for message in rows.flatMap({ $0.split(separator: "|")[0].split(separator: "`") })
        where message.contains(" ") && message.contains(/\w/) {
            let words = message.replacing(" ...", with: "")
            // Which side failed, stream or cache, is filled in as the first word.
            let rest = words.drop { $0 != " " }
            #expect(sources.contains(words) || sources.contains(rest), "\(message)")
        }
    }

    @Test func `every key of the example is in the table of keys`() throws {
        let example = try JSONSerialization.jsonObject(
            with: Data(Repository.text("config.example.json").utf8))
        let table = try Repository.text("docs/configuration.md")
        let names = keys(of: example, at: "")
        #expect(names.contains("streams[].table"))
        for name in names {
            #expect(table.contains("\n| `\(name)` | "), "\(name) is not explained")
        }
    }

    @Test func `the example has every key that is read, and no other`() throws {
        let example = try JSONSerialization.jsonObject(
            with: Data(Repository.text("config.example.json").utf8))
        let written = keys(of: example, at: "").flatMap { $0.split(separator: ".") }
            .map { String($0).replacing("[]", with: "") }
        let read = try Repository.swiftFiles(in: "Sources/shardwalk")
            .filter { $0.contains("/Config") }.map(Repository.text).joined()
            .matches(of: /\.(?:string|integer|word|flag|list|section)\(\s*"(\w+)"/)
            .map { String($0.output.1) }
        #expect(Set(written) == Set(read))
    }

    @Test func `what the example does not choose are the defaults`() throws {
        let chosen = """
            {
              "name": "orders-cache", "aws": { "region": "us-east-1" },
              "streams": [ { "table": "orders", "key": "{id}" } ],
              "redis": { "url": "redis://127.0.0.1:6379/0" }
            }
            """
        let example = try Config(
            json: Array(Repository.text("config.example.json").utf8), environment: [:])
        let defaults = try Config(json: Array(chosen.utf8), environment: [:])
        #expect(words(example) == words(defaults))
    }

    /// Everything in a value, as text.
    private func words(_ value: some Any) -> String {
        var text = ""
        dump(value, to: &text)
        return text
    }

    /// The paths of all keys whose values are not objects.
    private func keys(of value: Any, at path: String) -> [String] {
        switch value {
        case let object as [String: Any]:
            object.flatMap { keys(of: $1, at: path.isEmpty ? $0 : "\(path).\($0)") }
        case let list as [Any]: [path] + list.flatMap { keys(of: $0, at: "\(path)[]") }
        default: [path]
        }
    }
}
