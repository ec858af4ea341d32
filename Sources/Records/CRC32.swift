/// The checksum of zlib and of the header `x-amz-crc32`: CRC-32 with the IEEE polynomial.
package enum CRC32 {
    /// The checksum of all of `bytes`; 0 for none.
    ///
    /// Eight bytes a step: each of them has a table that says what it becomes after the seven, six and
    /// so on that follow it.
    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var crc = ~UInt32(0)
        bytes.withUnsafeBytes { bytes in
            tables.withUnsafeBufferPointer { table in
                let whole = bytes.count & ~7
                for offset in stride(from: 0, to: whole, by: 8) {
                    let word = UInt64(
                        littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                    let mixed = word ^ UInt64(crc)
                    crc = 0
                    for place in 0..<8 {
                        let byte = Int(truncatingIfNeeded: mixed >> (8 * UInt64(place))) & 0xFF
                        crc ^= table[(7 - place) << 8 + byte]
                    }
                }
                for byte in bytes[whole...] {
                    crc = crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xFF)]
                }
            }
        }
        return ~crc
    }

    /// Eight tables of 256: the first is that of a single byte, each further one that of a byte with one
    /// more zero byte behind it.
    private static let tables: [UInt32] = {
        var tables: [UInt32] = []
        for byte: UInt32 in 0..<256 {
            var crc = byte
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1) * 0xEDB8_8320 }
            tables.append(crc)
        }
        for index in 256..<2_048 {
            let before = tables[index - 256]
            tables.append(before >> 8 ^ tables[Int(before & 0xFF)])
        }
        return tables
    }()
}
