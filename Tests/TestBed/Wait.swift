/// Returns when `condition` holds; asks again and again until then.
///
/// - Parameters:
///   - seconds: how long to go on asking: long, since it only matters when the test is lost.
///   - condition: what is waited for.
/// - Throws: `TestBedError` when the time is over, or what the condition throws.
package func wait(
    atMost seconds: Int = 60, until condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            throw TestBedError("waited for \(seconds) seconds in vain")
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
