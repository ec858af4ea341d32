/// The pause after a page without records: it doubles from the least to the most.
///
/// Every poll costs money at AWS and processor time here, and most of those of thousands of shards bring nothing: where all
/// shards together would be asked too often, the longest pause is longer.
package struct IdlePause: Equatable, Sendable {
    /// The pause after the first empty page.
    package let minimum: Duration
    /// The longest pause, as long as there are not too many shards for it.
    package let maximum: Duration
    /// How often all shards together are asked in a second, once each of them rests for as long as it may.
    package let pollsPerSecond: Int

    /// The longest pause that so many shards may bring about: iterators live for 15 minutes.
    private static let limit = Duration.seconds(300)

    /// Pauses between two bounds, which may be equal.
    package init(minimum: Duration, maximum: Duration, pollsPerSecond: Int) {
        precondition(.zero < minimum && minimum <= maximum && pollsPerSecond > 0)
        self.minimum = minimum
        self.maximum = maximum
        self.pollsPerSecond = pollsPerSecond
    }

    /// The pause after so many empty pages in a row, 1 at least, of one of so many shards that are being read.
    ///
    /// A shard that has just had news is asked again as soon as ever, however many others there are.
    package func pause(afterEmptyPages count: Int, among shards: Int) -> Duration {
        let longest = max(maximum, min(.seconds(1) * shards / pollsPerSecond, Self.limit))
        return min(longest, minimum * (1 << min(count - 1, 16)))
    }
}
