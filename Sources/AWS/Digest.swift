import COpenSSL

/// The two digests of Signature Version 4, by OpenSSL; opens COpenSSL.
package enum Digest {
    /// The 32 bytes of SHA-256 of `bytes`.
    package static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let input = Array(bytes)
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        // Fails only where OpenSSL offers no SHA-256 at all, and then nothing can be signed.
        precondition(SHA256(input, input.count, &digest) != nil, "OpenSSL has no SHA-256")
        return digest
    }

    /// The 32 bytes of HMAC-SHA-256 of `bytes` under `key`.
    package static func hmac(_ bytes: some Sequence<UInt8>, key: [UInt8]) -> [UInt8] {
        let input = Array(bytes)
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        precondition(
            HMAC(EVP_sha256(), key, Int32(key.count), input, input.count, &digest, nil) != nil,
            "OpenSSL has no HMAC")
        return digest
    }

    /// Two lower-case hexadecimal digits per byte.
    package static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
