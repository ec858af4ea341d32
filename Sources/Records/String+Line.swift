extension StringProtocol {
    /// The beginning of a stranger's text as one line that a log can bear.
    ///
    /// White space becomes single blanks, other control characters are left out, and what is longer than `bytesMax`
    /// bytes of UTF-8 ends in `…`. Bytes are counted, since one character can be of any length.
    package func line(bytesMax: Int) -> String {
        var line = ""
        var isAfterBlank = false
        for scalar in unicodeScalars {
            if scalar.properties.isWhitespace {
                isAfterBlank = !line.isEmpty
                continue
            }
            guard scalar.properties.generalCategory != .control else { continue }
            let length = UTF8.width(scalar) + (isAfterBlank ? 1 : 0)
            guard line.utf8.count + length <= bytesMax else { return line + "…" }
            if isAfterBlank { line += " " }
            isAfterBlank = false
            line.unicodeScalars.append(scalar)
        }
        return line
    }
}
