/// SplitMix64: the same seed gives the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator for one seed; any number will do.
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `count` digits of the alphabet, such as those of hexadecimal numbers.
    mutating func text(_ count: Int, of alphabet: String) -> String {
        let letters = Array(alphabet.utf8)
        let text = (0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &self)] }
        return String(decoding: text, as: UTF8.self)
    }
}
