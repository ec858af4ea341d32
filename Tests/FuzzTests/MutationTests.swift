import Foundation
import TestBed
import Testing

/// The targets that deploy/fuzz.sh runs for long, on inputs that are the same in every run.
@Suite(.serialized) struct MutationTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Corpus")
    private static let inputsPerTarget: UInt64 = 1_500

    @Test(arguments: FuzzTarget.allCases)
    func `what holds for any input holds for the seeds and for what is made of them`(
        target: FuzzTarget
    ) async throws {
        let finding = try await onOwnThread { try Self.firstFinding(of: target) }
        if let finding { Issue.record("\(target.rawValue), \(finding)") }
    }

    /// The first input for which something does not hold, and what that is.
    private static func firstFinding(of target: FuzzTarget) throws -> Comment? {
        let folder = corpus.appending(path: target.rawValue)
        for seed in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let input = Array(try Data(contentsOf: folder.appending(path: seed)))
            do { try target.read(input) } catch { return "the seed \(seed): \(error)" }
        }
        let mutator = try Mutator(seedsIn: folder)
        for number in 0..<inputsPerTarget {
            let input = mutator.input(number)
            do {
                try target.read(input)
            } catch {
                let text = Data(input).base64EncodedString()
                return "input \(number), \(text) in base64: \(error)"
            }
        }
        return nil
    }
}
