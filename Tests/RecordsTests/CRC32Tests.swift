import Records
import Testing

@Suite struct CRC32Tests {
    /// The first three are bodies of DynamoDB's with the `x-amz-crc32` that belongs to them, the fourth is the
    /// check value of every table of CRCs.
    @Test(arguments: [
        ("{}", 2_745_614_147), ("{\"Records\":[]}", 2_531_396_130),
        ("{\"NextShardIterator\":\"iter-2\",\"Records\":[]}", 1_927_947_936),
        ("123456789", 0xCBF4_3926), ("", 0), ("a", 0xE8B7_BE43),
    ])
    func `known texts have their known checksums`(text: String, checksum: UInt32) {
        #expect(CRC32.checksum(Array(text.utf8)) == checksum)
    }

    @Test func `every length and content agrees with the plain definition`() {
        var generator = SystemRandomNumberGenerator()
        for length in 0..<300 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            var crc = ~UInt32(0)
            for byte in bytes {
                crc ^= UInt32(byte)
                for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
            }
            #expect(CRC32.checksum(bytes) == ~crc, "of \(bytes)")
        }
    }
}
