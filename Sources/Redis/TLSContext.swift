import COpenSSL
import Glibc
import Walk

/// Authorities, versions and our own certificate, read for one connection; opens COpenSSL.
final class TLSContext {
    /// OpenSSL's context.
    let pointer: OpaquePointer
    /// Whether there is a certificate to show.
    let hasCertificate: Bool
    /// Whether the server has to prove who it is.
    let isVerifying: Bool

    /// Reads the files that the settings name.
    ///
    /// - Throws: `denied` where one of them cannot be used, or there is no authority to trust.
    init(_ settings: RedisTLS) throws(SinkError) {
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw SinkError(.unavailable, "OpenSSL gives no context: \(TLSContext.reason())")
        }
        pointer = context
        hasCertificate = settings.certificateFile != nil
        isVerifying = !settings.skipsVerification
        // A stricter setting of the machine's (openssl.cnf) stays.
        if SSL_CTX_ctrl(context, SSL_CTRL_GET_MIN_PROTO_VERSION, 0, nil) < TLS1_2_VERSION {
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        }
        // Of a pipeline as much is sent as the socket takes, and the rest later from wherever it then lies.
        let mode = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
        SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(mode), nil)
        shardwalk_ssl_refuse_renegotiation(context)
        if isVerifying { try trust(settings) }
        if let certificate = settings.certificateFile, let key = settings.keyFile {
            try show(certificate, key: key)
        }
    }

    deinit { SSL_CTX_free(pointer) }

    /// OpenSSL's words for the oldest error that was not read, and its number.
    static func error() -> (code: Int32, words: String) {
        let error = ERR_get_error()
        ERR_clear_error()
        let code = ERR_GET_REASON(error)
        let words = ERR_reason_error_string(error).map { String(cString: $0) }
        return (code, words ?? (error == 0 ? "no reason given" : "error \(code)"))
    }

    private static func reason() -> String { error().words }

    private func trust(_ settings: RedisTLS) throws(SinkError) {
        if let file = settings.caFile {
            try Self.check(file, "caFile")
            guard SSL_CTX_load_verify_file(pointer, file) == 1 else {
                throw Self.refusal("caFile", "\(file) holds no certificates (\(Self.reason()))")
            }
        }
        if let directory = settings.caDirectory {
            guard Self.hasCertificates(directory) else {
                throw Self.refusal(
                    "caDirectory",
                    """
                    in \(directory) there is no certificate under its hash: name a folder that \
                    `openssl rehash` was run on
                    """)
            }
            guard SSL_CTX_load_verify_dir(pointer, directory) == 1 else {
                throw Self.refusal("caDirectory", "\(directory): \(Self.reason())")
            }
        }
        guard settings.caFile == nil, settings.caDirectory == nil else { return }
        let file = Self.place(X509_get_default_cert_file_env(), X509_get_default_cert_file())
        let folders = Self.place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())
        let hasAny =
            access(file, R_OK) == 0
            || folders.split(separator: ":").contains { folder in
                Self.hasCertificates(String(folder))
            }
        guard hasAny, SSL_CTX_set_default_verify_paths(pointer) == 1 else {
            throw SinkError(
                .denied,
                """
                this machine has no certificates of authorities (neither \(file) nor in \
                \(folders)): install ca-certificates, or set redis.tls.caFile
                """)
        }
    }

    private func show(_ certificate: String, key: String) throws(SinkError) {
        try Self.check(certificate, "certificateFile")
        guard SSL_CTX_use_certificate_chain_file(pointer, certificate) == 1 else {
            throw Self.refusal(
                "certificateFile", "\(certificate) holds no certificate (\(Self.reason()))")
        }
        try Self.check(key, "keyFile")
        // Without this OpenSSL would ask for a passphrase on the terminal.
        SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in -1 }
        guard SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_check_private_key(pointer) == 1
        else {
            throw Self.refusal(
                "keyFile",
                """
                \(key) holds no key without a passphrase that belongs to \(certificate) \
                (\(Self.reason()))
                """)
        }
    }

    private static func refusal(_ key: String, _ words: String) -> SinkError {
        SinkError(.denied, "redis.tls.\(key): \(words)")
    }

    /// Looks at a file before OpenSSL does, whose words for one that is missing are not clear.
    private static func check(_ path: String, _ key: String) throws(SinkError) {
        // Nobody waits here for the writer of a pipe.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw refusal(key, "\(path) can't be read: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw refusal(key, "\(path) is not a file")
        }
    }

    /// Whether a folder has a file of the name that OpenSSL looks for: eight digits of a hash and a number.
    private static func hasCertificates(_ folder: String) -> Bool {
        guard let directory = opendir(folder) else { return false }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.wholeMatch(of: /[0-9a-f]{8}\.[0-9]+/) != nil { return true }
        }
        return false
    }

    /// What a variable of the environment says, or else what OpenSSL was built with.
    private static func place(
        _ variable: UnsafePointer<CChar>, _ standard: UnsafePointer<CChar>
    ) -> String {
        String(cString: getenv(variable) ?? UnsafeMutablePointer(mutating: standard))
    }
}
