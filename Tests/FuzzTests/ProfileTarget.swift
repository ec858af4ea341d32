import Foundation

@testable import AWS

/// The sections of a profile file are the same when they are written anew and read again.
enum ProfileTarget {
    /// Reads a profile file.
    static func read(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        _ = try? ProfileFiles(config: text, credentials: text)
        guard let syntax = try? ProfileSyntax(text, file: "f") else { return }
        let names = syntax.sections.map(\.name)
        try expect(Set(names).count == names.count, "a section comes twice")
        let again = try ProfileSyntax(written(syntax), file: "f")
        try expect(again.warnings.isEmpty, "what was written anew is odd: \(again.warnings)")
        try expect(again.sections.map(\.name) == names, "the sections are others")
        for (section, other) in zip(syntax.sections, again.sections) {
            try expect(section.keys == other.keys, "the keys of [\(section.name)] are others")
        }
    }

    private static func written(_ syntax: ProfileSyntax) -> String {
        var text = ""
        for section in syntax.sections {
            text += "[\(section.name)]\n"
            for (key, value) in section.keys.values {
                text += "\(key) = " + value.replacing("\n", with: "\n  ") + "\n"
            }
            for (key, table) in section.keys.tables {
                text += "\(key) =\n" + table.map { "  \($0) = \($1)\n" }.joined()
            }
        }
        return text
    }
}
