/// The pause after a page without records: it doubles from the least to the most.
package struct IdlePause: Equatable, Sendable {
    /// The pause after the first empty page.
    package let minimum: Duration
    /// The longest pause.
    package let maximum: Duration

    /// Pauses between two bounds, which may be equal.
    package init(minimum: Duration, maximum: Duration) {
        precondition(.zero < minimum && minimum <= maximum)
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The pause after so many empty pages in a row, 1 at least.
    package func pause(afterEmptyPages count: Int) -> Duration {
        min(maximum, minimum * (1 << min(count - 1, 16)))
    }
}
