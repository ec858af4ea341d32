import Testing

@testable import LocalStreams

@Suite struct MomentTests {
    @Test(arguments: [
        ("1464806430", "1.46480643E9"), ("1700000000", "1.7E9"), ("2000000000", "2.0E9"),
        ("1700000000.120", "1.70000000012E9"), ("5", "5.0E0"),
    ])
    func `numbers with an exponent look as AWS writes them`(digits: String, expected: String) {
        let text = Moment.withExponent(digits)
        #expect(text == expected)
        #expect(Double(text) == Double(digits))
    }

    @Test func `some times of creation have an exponent, and all of them the same value`() {
        let texts = (0..<8).map { Moment(milliseconds: 1_700_000_000_000 + $0).creationText }
        #expect(texts.filter { $0.contains("E") }.count == 2)
        #expect(texts[4] == "1.700000000004E9")
        #expect(texts[5] == "1700000000.005")
        #expect(texts.map { Double($0) } == (0..<8).map { 1_700_000_000 + Double($0) / 1_000 })
    }
}
