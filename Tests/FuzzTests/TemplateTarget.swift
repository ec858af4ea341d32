import Foundation
import Records

/// A key template that can be read is the same when it is printed and read again.
enum TemplateTarget {
    /// Reads a template.
    static func read(_ input: [UInt8]) throws {
        guard let template = try? KeyTemplate(String(decoding: input, as: UTF8.self)) else {
            return
        }
        let text = template.description
        guard let again = try? KeyTemplate(text) else {
            throw Finding(description: "what was printed cannot be read: \(text)")
        }
        try expect(again == template, "what was printed is another template: \(text)")
        try expect(again.shape == template.shape, "the shape is another one")
        try expect(!template.attributes.isEmpty, "no attribute is named")
        try template.check(keyAttributes: template.attributes)
    }
}
