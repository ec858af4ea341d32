import Foundation
import LocalRedis
import TestBed
import Testing

// The daemon and a Redis over TLS: what it says at the start, and what may change while it runs.
@Suite(.serialized) struct TLSTests {
    /// Writes the configuration for a server, with further members of `redis` and of `redis.tls` as JSON.
    private func configure(
        _ stage: Stage, _ url: String, _ more: String = "", tls: String
    ) throws {
        try stage.configure(["redis": #"{"url": "\#(url)", "tls": {\#(tls)}\#(more)}"#])
    }

    @Test func `a password that is changed with its file is found after the connection is lost`()
        async throws
    {
        let certificates = try await Certificates()
        try await certificates.make("server")
        let account = "user walker on >first-password ~* &* +@all"
        let settings = certificates.settings("server", [account])
        try await withStage { stage, _ in
            try await withRedisServer(tls: true, settings: settings) { server in
                let table = try await stage.table()
                try await table.create()
                let password = URL(filePath: stage.folder.path("password"))
                try Data("first-password\n".utf8).write(to: password)
                try configure(
                    stage, server.url.replacing("//", with: "//walker@"),
                    #", "passwordFile": "\#(password.path)""#,
                    tls: #""caFile": "\#(certificates.path("ca.pem"))""#)
                let check = try await stage.run("check")
                #expect(check.code == 0, "\(check)")
                let daemon = try stage.start("run")
                try await table.put("item-1")
                try await wait { server.command("EXISTS item-1") == ":1" }
                try Data("second-password\n".utf8).write(to: password, options: .atomic)
                server.command("ACL SETUSER walker resetpass >second-password")
                server.command("CLIENT KILL USER walker")
                try await table.put("item-2")
                try await wait { server.command("EXISTS item-2") == ":1" }
                try await daemon.stop()
                #expect(daemon.log.contains("TLSv1.3"))
                for word in ["first-password", "second-password", "skipVerification", "WRONGPASS"] {
                    #expect(!daemon.log.contains(word), "\(word)")
                }
            }
        }
    }

    @Test func `a server that nobody looks at is told as an error`() async throws {
        let certificates = try await Certificates()
        try await certificates.make("server", for: "DNS:elsewhere", authority: nil)
        try await withStage { stage, _ in
            let settings = certificates.settings("server")
            try await withRedisServer(tls: true, settings: settings) { server in
                try await stage.table().create()
                try configure(stage, server.url, tls: #""skipVerification": true"#)
                let check = try await stage.run("check")
                #expect(check.code == 0, "\(check)")
                #expect(check.output.contains("not verified: redis.tls.skipVerification"))
                let daemon = try stage.start("run")
                try await daemon.waitForLog("redis.tls.skipVerification is on")
                try await daemon.waitForLog("without looking at its certificate")
                try await daemon.stop()
                #expect(
                    daemon.log.split(separator: "\n").contains {
                        $0.contains("skipVerification is on") && $0.contains(#""level":"error""#)
                    })
            }
        }
    }

    @Test func `files that are missing are a matter of configuration`() async throws {
        try await withStage { stage, _ in
            try await stage.table().create()
            try configure(stage, "rediss://127.0.0.1:1", tls: #""caFile": "/none/ca.pem""#)
            let words = "redis.tls.caFile: /none/ca.pem can't be read: No such file or directory"
            let check = try await stage.run("check")
            #expect(check.code == 78, "\(check)")
            #expect(check.output.contains("FAIL  redis          \(words)"), "\(check.output)")
            let run = try await stage.run("run")
            #expect(run.code == 78, "\(run)")
            #expect(run.log.contains(words))
            // A machine without any authority, as a bare container is.
            try configure(stage, "rediss://127.0.0.1:1", tls: "")
            let bare = try await stage.run(
                "check", environment: ["SSL_CERT_FILE": "/none", "SSL_CERT_DIR": "/none:/empty"])
            #expect(bare.code == 78)
            #expect(
                bare.output.contains("install ca-certificates, or set redis.tls.caFile"),
                "\(bare.output)")
            #expect(try await stage.run("check").output.contains("Connection refused"))
        }
    }
}
