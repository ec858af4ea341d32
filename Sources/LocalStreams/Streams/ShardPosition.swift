import FoundationEssentials
import Records

/// What an iterator stands for: a place in a shard, and when it was given out.
///
/// The service keeps no iterators: all of this is in the text, so that one can be used again and again.
struct ShardPosition: Hashable, Sendable {
    /// How long an iterator can be used, in milliseconds.
    static let lifetime = 15 * 60 * 1_000

    /// The stream that the shard belongs to.
    let stream: String
    /// The shard.
    let shard: String
    /// The record to go on with, trimmed ones counted.
    let index: Int
    /// The empty pages to come before it.
    let emptyPages: Int
    /// When the iterator was given out.
    let issued: Moment

    /// A place in a shard.
    init(stream: String, shard: String, index: Int, emptyPages: Int, issued: Moment) {
        self.stream = stream
        self.shard = shard
        self.index = index
        self.emptyPages = emptyPages
        self.issued = issued
    }

    /// The iterator's text, `<stream>|1|<base64>`, as AWS's looks.
    var text: String {
        let fields = "\(shard),\(index),\(emptyPages),\(issued.milliseconds)"
        let sealed = "\(fields),\(CRC32.checksum(Array("\(stream),\(fields)".utf8)))"
        return "\(stream)|1|\(Data(sealed.utf8).base64EncodedString())"
    }

    /// The place that an iterator stands for, or nil where `text` was not given out here.
    init?(_ text: String) {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1] == "1", let data = Data(base64Encoded: String(parts[2]))
        else { return nil }
        let fields = String(decoding: data, as: UTF8.self)
            .split(separator: ",", omittingEmptySubsequences: false)
        guard fields.count == 5, let index = Int(fields[1]), let emptyPages = Int(fields[2]),
            let issued = Int(fields[3])
        else { return nil }
        self.init(
            stream: String(parts[0]), shard: String(fields[0]), index: index,
            emptyPages: emptyPages, issued: Moment(milliseconds: issued))
        guard self.text == text else { return nil }
    }
}
