import Foundation

/// A reader of bytes that come from outside, together with what has to hold for any input at all.
///
/// Beside the checks each of them is only run: whoever runs it looks for crashes, hangs and bytes read out of bounds.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// An answer of GetRecords, and the changes that it makes to the cache.
    case page
    /// What a service says in place of an answer.
    case errorBody = "error"
    /// The answers of DescribeStream, GetShardIterator and DescribeTable.
    case answer
    /// The configuration file.
    case config
    /// The checkpoint file.
    case checkpoint
    /// AWS's shared config and credentials files.
    case profile
    /// The text of a key template.
    case template
    /// What a Redis server sends.
    case redis

    /// Reads an input.
    ///
    /// - Throws: `Finding` where something does not hold.
    public func read(_ input: [UInt8]) throws {
        switch self {
        case .page: try PageTarget.read(input)
        case .errorBody: try ServiceTarget.readError(input)
        case .answer: try ServiceTarget.readAnswer(input)
        case .config: try ConfigTarget.read(input)
        case .checkpoint: try CheckpointTarget.read(input)
        case .profile: try ProfileTarget.read(input)
        case .template: try TemplateTarget.read(input)
        case .redis: try RedisTarget.read(input)
        }
    }
}

/// Something that does not hold for an input.
struct Finding: Error, CustomStringConvertible {
    /// What does not hold.
    let description: String
}

/// Throws a finding unless something holds.
func expect(_ holds: Bool, _ words: @autoclosure () -> String) throws(Finding) {
    if !holds { throw Finding(description: words()) }
}

/// Throws a finding unless `text` is one line of a length that a log can bear.
func expectLine(_ text: String, bytesMax: Int, _ name: String) throws(Finding) {
    try expect(text.utf8.count <= bytesMax, "\(name) has \(text.utf8.count) bytes")
    try expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "\(name) is not one line")
}
