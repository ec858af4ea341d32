import Foundation

/// A folder of certificates that the command `openssl` makes for one test, beside their keys.
package final class Certificates: Sendable {
    private let directory: TemporaryDirectory

    /// Begins with an authority, `ca.pem`.
    package init() async throws {
        directory = try TemporaryDirectory()
        try await makeAuthority("ca")
    }

    /// The path of a file in the folder.
    package func path(_ name: String) -> String { directory.path(name) }

    /// Makes an authority, `<name>.pem` and `<name>.key`.
    package func makeAuthority(_ name: String) async throws {
        try await Self.openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path("\(name).key"), "-out", path("\(name).pem"), "-days", "2",
            "-subj", "/CN=Authority \(name)",
        ])
    }

    /// Makes `<name>.pem` and `<name>.key` for some names; without an authority it is self-signed.
    ///
    /// With `days` of -1 it has expired.
    package func make(
        _ name: String, for names: String = "DNS:localhost,IP:127.0.0.1",
        authority: String? = "ca", days: Int = 2
    ) async throws {
        try await Self.openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path("\(name).key"), "-out", path("\(name).csr"), "-subj", "/CN=\(name)",
            "-addext", "subjectAltName=\(names)",
        ])
        let signer =
            authority.map { ["-CA", path("\($0).pem"), "-CAkey", path("\($0).key")] }
            ?? ["-signkey", path("\(name).key")]
        try await Self.openssl(
            [
                "x509", "-req", "-in", path("\(name).csr"), "-out", path("\(name).pem"),
                "-days", "\(days)", "-copy_extensions", "copyall",
            ] + signer)
    }

    /// The settings of a redis-server that shows the certificate of that name.
    package func settings(
        _ name: String, clients: String = "no", _ more: [String] = []
    ) -> [String] {
        [
            "tls-cert-file \(path("\(name).pem"))", "tls-key-file \(path("\(name).key"))",
            "tls-ca-cert-file \(path("ca.pem"))", "tls-auth-clients \(clients)",
        ] + more
    }

    /// Runs the command `openssl` and waits for its end.
    ///
    /// - Throws: `TestBedError` where it fails.
    package static func openssl(_ arguments: [String]) async throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        guard status == 0 else {
            throw TestBedError("openssl \(arguments.joined(separator: " ")) ended with \(status)")
        }
    }
}
