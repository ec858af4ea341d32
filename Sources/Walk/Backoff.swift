/// How long to wait before the next attempt: exponential, capped, with full jitter.
///
/// The pause before attempt n is uniform between 0 and min(`maximum`, `base` * 2^(n-1)), so that many shards which
/// failed together don't come back together. A floor keeps the first pauses from being none at all.
package struct Backoff: Sendable {
    private let base: Duration
    private let maximum: Duration
    /// The source of the jitter.
    package var generator: SeededGenerator
    /// How many pauses were handed out since the last success.
    package private(set) var attempts = 0

    /// A back-off that begins at `base` and never exceeds `maximum`.
    package init(base: Duration, maximum: Duration, generator: SeededGenerator) {
        precondition(.zero < base && base <= maximum)
        self.base = base
        self.maximum = maximum
        self.generator = generator
    }

    /// The next pause.
    package mutating func next() -> Duration {
        attempts += 1
        // 2^20 times any base is far above any cap, and further doubling would overflow.
        let ceiling = min(maximum, base * (1 << min(attempts - 1, 20)))
        return max(base / 10, ceiling * Double.random(in: 0...1, using: &generator))
    }

    /// Begins again after a success.
    package mutating func reset() { attempts = 0 }
}

/// A small, fast generator whose numbers follow from its seed (SplitMix64).
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator with the sequence of `seed`.
    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
