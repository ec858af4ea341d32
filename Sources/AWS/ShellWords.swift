/// Splits a command line into words as a shell does, without being one.
///
/// Blanks separate; single quotes keep everything, double quotes everything but `\"` and `\\`, and a
/// backslash outside quotes keeps the next character. Nothing is expanded. This is what Python's
/// `shlex.split` does, with which botocore splits `credential_process` and section names.
enum ShellWords {
    /// The words, or nil where a quote is not closed or the last character is a lone backslash.
    static func split(_ text: String) -> [String]? {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var characters = text.makeIterator()
        while let character = characters.next() {
            if let open = quote {
                if character == open {
                    quote = nil
                } else if character == "\\", open == "\"" {
                    guard let next = characters.next() else { return nil }
                    word?.append(contentsOf: next == "\"" || next == "\\" ? "\(next)" : "\\\(next)")
                } else {
                    word?.append(character)
                }
                continue
            }
            switch character {
            case "'", "\"":
                quote = character
                word = word ?? ""
            case "\\":
                guard let next = characters.next() else { return nil }
                word = (word ?? "") + "\(next)"
            case " ", "\t", "\r", "\n", "\r\n":
                if let finished = word { words.append(finished) }
                word = nil
            default:
                word = (word ?? "") + "\(character)"
            }
        }
        guard quote == nil else { return nil }
        if let finished = word { words.append(finished) }
        return words
    }
}
