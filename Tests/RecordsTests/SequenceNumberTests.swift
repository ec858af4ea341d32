import Records
import Testing

@Suite struct SequenceNumberTests {
    @Test(arguments: [
        ("999999999999999999999", "1000000000000000000000"),
        ("300000000000000499659", "20500000000000000910398"),
        ("000000000000000000000000000009", "10"),
        ("1683700000000000001135967", "1683700000000000001135968"),
    ])
    func `numbers are compared as numbers, not as text`(small: String, large: String) throws {
        let small = try #require(SequenceNumber(small))
        let large = try #require(SequenceNumber(large))
        #expect(small < large)
        #expect(!(large < small))
        #expect(small != large)
    }

    @Test func `leading zeros do not make another number`() {
        #expect(SequenceNumber("007") == SequenceNumber("7"))
        #expect(SequenceNumber("007")?.hashValue == SequenceNumber("7")?.hashValue)
    }

    @Test(arguments: ["", "12a", "-1", "１２", String(repeating: "1", count: 41)])
    func `what is not a number is refused`(text: String) {
        #expect(SequenceNumber(text) == nil)
    }
}
