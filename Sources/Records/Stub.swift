// Stands in until Mapping.swift and CRC32.swift land: whoever lands one of them deletes its part here (and then this file).
package struct MappingFailure: Error {}
package struct Mapping: Sendable {
    package func changes(in page: Page) throws(MappingFailure) -> ChangeSet {
        throw MappingFailure()
    }
}
package enum CRC32 {
    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0 as UInt32) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in
                crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1
            }
        }
    }
}
