import Foundation
import Walk

/// Makes inputs of the seeds of a target: the same ones for the same number.
struct Mutator {
    private let seeds: [[UInt8]]
    /// Texts that mean something to a parser and that no change of a byte would make.
    private static let words: [[UInt8]] = [
        "{", "}", "[]", "null", "\":", "\\ud83d\\ude00", "\\ud83d", "1e999", "-0.0", "\u{301}",
        "\u{1F600}", "\r\n", "\0", "*2147483647\r\n", "$-1\r\n", "{\"S\":\"\"}",
    ].map { Array($0.utf8) }

    /// A mutator of the files in a folder.
    init(seedsIn folder: URL) throws {
        seeds = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
            Array(try Data(contentsOf: folder.appending(path: $0)))
        }
    }

    /// The input of a number: one seed with one to eight changes.
    func input(_ number: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: number)
        guard var bytes = seeds.randomElement(using: &random) else { return [] }
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 1...16, using: &random))
            switch Int.random(in: 0..<7, using: &random) {
            case 0 where place < bytes.count:
                bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1 where place < bytes.count: bytes[place] = .random(in: 0...255, using: &random)
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 4: bytes.removeSubrange(place...)
            case 5: bytes.insert(contentsOf: seeds.randomElement(using: &random) ?? [], at: place)
            default:
                bytes.insert(contentsOf: Self.words.randomElement(using: &random) ?? [], at: place)
            }
        }
        return bytes
    }
}
