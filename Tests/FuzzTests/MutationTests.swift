import Foundation
import Testing

/// The targets that deploy/fuzz.sh runs for long, on inputs that are the same in every run.
@Suite struct MutationTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Corpus")
    private static let inputsPerTarget: UInt64 = 1_500

    @Test(arguments: FuzzTarget.allCases)
    func `what holds for any input holds for the seeds and for what is made of them`(
        target: FuzzTarget
    ) throws {
        let folder = Self.corpus.appending(path: target.rawValue)
        for seed in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let input = Array(try Data(contentsOf: folder.appending(path: seed)))
            #expect(throws: Never.self, "\(seed)") { try target.read(input) }
        }
        let mutator = try Mutator(seedsIn: folder)
        for number in 0..<Self.inputsPerTarget {
            let input = mutator.input(number)
            do {
                try target.read(input)
            } catch {
                let text = Data(input).base64EncodedString()
                Issue.record("input \(number) of \(target.rawValue), \(text) in base64: \(error)")
                return
            }
        }
    }
}
