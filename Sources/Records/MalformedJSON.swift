/// A text that is not what was expected, and where it stops being so; never a part of the text itself.
package struct MalformedJSON: Error, Hashable, CustomStringConvertible {
    /// What is wrong with a text; each case says it in words.
    package enum Problem: String, Error {
        // The grammar of JSON.
        case textEnds = "the text ends too early"
        case textGoesOn = "something follows the end of the text"
        case nestsTooDeep = "objects and arrays nest too deep"
        case controlCharacter = "a control character lies between two values"
        case noValue = "a value is missing"
        case noName = "a name is missing"
        case noColon = "a colon is missing"
        case noComma = "a list goes on with neither a comma nor its end"
        case noObject = "an object is missing"
        case noArray = "an array is missing"
        case noString = "a string is missing"
        case stringControlCharacter = "a string holds a control character that is not escaped"
        case unknownEscape = "a string holds an unknown escape"
        case escapeDigits = "an escape has not got four hexadecimal digits"
        case notUTF8 = "a string is not UTF-8"
        case leadingZero = "a number begins with a zero too many"
        case noDigits = "a number has not got all its digits"

        // The answer of GetRecords.
        case noRecords = "the answer has no Records"
        case emptyIterator = "NextShardIterator is empty"
        case noEventName = "a record has no eventName"
        case unknownEventName = "eventName is not INSERT, MODIFY or REMOVE"
        case noChange = "a record has no member dynamodb"
        case noKeys = "a record has no Keys"
        case noSequenceNumber = "a record has no SequenceNumber"
        case badSequenceNumber = "SequenceNumber is not 1 to 40 digits"
        case badCreationTime = "ApproximateCreationDateTime is not a time"
    }

    /// What is wrong.
    package let problem: Problem
    /// The offset of the byte at which it shows.
    package let offset: Int

    /// A problem at a byte.
    package init(_ problem: Problem, at offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    /// Where a text stops being JSON; nil where all of it is.
    package static func first(in text: [UInt8]) -> MalformedJSON? {
        text.withUnsafeBufferPointer { bytes in
            var cursor = JSONCursor(bytes)
            do throws(Problem) {
                _ = try cursor.value()
                try cursor.finish()
                return nil
            } catch {
                return MalformedJSON(error, at: cursor.offset)
            }
        }
    }

    package var description: String { "\(problem.rawValue), at byte \(offset)" }
}
