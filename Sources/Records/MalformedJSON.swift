/// A text that is not what was expected, and where it stops being so; never a part of the text itself.
package struct MalformedJSON: Error, Hashable, CustomStringConvertible {
    /// What is wrong, in words.
    package let problem: String
    /// The offset of the byte at which it shows.
    package let offset: Int

    /// A problem at a byte.
    package init(_ problem: String, at offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    package var description: String { "\(problem), at byte \(offset)" }
}
