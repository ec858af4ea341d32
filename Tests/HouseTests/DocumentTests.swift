import Foundation
import Testing

/// Documents that people rely on name what the program has.
@Suite struct DocumentTests {
    @Test func `every exit code is in the operator's table`() throws {
        let table = try Repository.text("docs/operations.md")
        let codes = try Repository.text("Sources/shardwalk/Exit.swift")
            .matches(of: /case \w+ = (\d+)/).map { String($0.output.1) }
        #expect(codes.count > 5)
        for code in ["0", "64"] + codes {
            #expect(table.contains("\n| \(code) | "), "exit code \(code) is not explained")
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
