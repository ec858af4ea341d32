import COpenSSL
import Glibc
import Records

/// Why a certificate is not accepted and what can be done, in words; opens COpenSSL.
struct CertificateRefusal {
    /// The words.
    let message: String

    /// The most names of a certificate that are told.
    private static let namesMax = 8
    /// A longer name is cut, in bytes: it is a stranger's and ends up in a log line.
    private static let nameBytesMax = 100

    /// Looks at the certificate that OpenSSL is at (`X509_STORE_CTX`) when it stops; `name` is the one it must be for.
    init(_ state: OpaquePointer, of name: String) {
        let error = X509_STORE_CTX_get_error(state)
        guard let certificate = X509_STORE_CTX_get_current_cert(state) else {
            message = "its certificate is not accepted: \(Self.words(error))"
            return
        }
        let subject = Self.text(X509_get_subject_name(certificate))
        let issuer = Self.text(X509_get_issuer_name(certificate))
        let whose =
            X509_STORE_CTX_get_error_depth(state) == 0
            ? "its certificate" : "the certificate of \(subject)"
        switch error {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let end = Self.text(X509_get0_notAfter(certificate))
            message =
                "\(whose) has expired (\(end)): renew it there, unless this machine's clock is wrong"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            let start = Self.text(X509_get0_notBefore(certificate))
            message = "\(whose) is not valid before \(start): is this machine's clock wrong?"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            message =
                "\(whose) is self-signed: put it into the file that redis.tls.caFile names, if it is the right one"
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            // At the end of the chain stands the authority itself, or the last one that it vouches for.
            message =
                "its certificate comes from \(issuer), which is not trusted here: set redis.tls.caFile to the certificate of that authority"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = Self.names(of: certificate)
            let whom = names.isEmpty ? subject : names.joined(separator: ", ")
            message =
                "\(whose) is not for \(name), but for \(whom): name the server so in redis.url, or set redis.tls.serverName"
        default:
            message =
                "\(whose) is not accepted: \(Self.words(error))"
        }
    }

    private static func words(_ error: Int32) -> String {
        String(cString: X509_verify_cert_error_string(Int(error)))
    }

    /// The names and addresses that a certificate is for.
    private static func names(of certificate: OpaquePointer) -> [String] {
        guard let list = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else {
            return []
        }
        let all = OpaquePointer(list)
        defer { GENERAL_NAMES_free(all) }
        let count = Int(shardwalk_general_names_count(all))
        let names = (0..<min(count, namesMax)).compactMap { index -> String? in
            guard let entry = shardwalk_general_name(all, Int32(index))?.pointee else { return nil }
            switch entry.type {
            case GEN_DNS:
                return String(decoding: bytes(entry.d.dNSName), as: UTF8.self).line(
                    bytesMax: nameBytesMax)
            case GEN_IPADD: return address(bytes(entry.d.iPAddress))
            default: return nil
            }
        }
        return names + (count > namesMax ? ["…"] : [])
    }

    private static func bytes(_ text: UnsafePointer<ASN1_STRING>?) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: ASN1_STRING_get0_data(text), count: Int(ASN1_STRING_length(text)))
    }

    /// The usual form of the bytes of an address, of version 4 or 6.
    private static func address(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil else {
            return nil
        }
        return line(text)
    }

    private static func text(_ name: OpaquePointer?) -> String {
        var text = [CChar](repeating: 0, count: nameBytesMax)
        X509_NAME_oneline(name, &text, Int32(text.count))
        return line(text)
    }

    /// The text that ends at the first zero.
    private static func line(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .line(bytesMax: nameBytesMax)
    }

    private static func text(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return "at an unknown time" }
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
        return
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) \(two(parts.tm_hour)):\(two(parts.tm_min)) UTC"
    }
}
