import Foundation
import TestBed
import Testing

@testable import AWS

/// Programs that print keys, as real scripts: good, failing, silent, hanging and talkative ones.
struct CredentialProcessTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private static let keys = """
        {"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "secret-text", "SessionToken": "t", \
        "Expiration": "2030-01-31T12:00:00Z"}
        """

    /// A process that runs a script of the test's own.
    private func process(
        _ script: String, _ arguments: [String] = [], timeout: Duration = .seconds(60)
    ) throws -> CredentialProcess {
        let path = folder.path("script")
        try Data("#!/bin/sh\n\(script)\n".utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
        return CredentialProcess(
            words: [path] + arguments, profile: "p",
            environment: ["PATH": "/usr/bin:/bin", "GIVEN": "value"], timeout: timeout)
    }

    private func error(_ process: CredentialProcess) async -> CredentialError? {
        await #expect(throws: CredentialError.self) { try await process.credentials() }
    }

    @Test func `a process's keys are taken with their end`() async throws {
        let keys = try await process("printf '%s' '\(Self.keys)'").credentials()
        #expect(
            keys
                == Credentials(
                    accessKeyID: "AK", secretAccessKey: "secret-text", sessionToken: "t",
                    expiration: Date(timeIntervalSince1970: 1_896_091_200)))
    }

    @Test func `a process gets its arguments and environment and nothing to read`() async throws {
        let keys = try await process(
            """
            test -z "$(cat)" || exit 9
            test -z "$HOME" || exit 8
            printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s"}' "$1" "$2-$GIVEN"
            """, ["a b", "$HOME"]
        ).credentials()
        #expect(keys == Credentials(accessKeyID: "a b", secretAccessKey: "$HOME-value"))
    }

    @Test func `a program without a slash is looked up in the path`() async throws {
        let process = CredentialProcess(
            words: ["printf", "%s", Self.keys], profile: "p", environment: ["PATH": "/usr/bin"])
        #expect(try await process.credentials().accessKeyID == "AK")
    }

    @Test func `a program that does not exist is named`() async throws {
        for word in [folder.path("none"), "no-such-program-anywhere"] {
            let process = CredentialProcess(words: [word], profile: "p", environment: [:])
            let failure = await error(process)
            #expect(failure?.kind == .unavailable)
            #expect(failure?.description.contains(word) == true)
        }
    }

    @Test func `a failing process shows the end of its errors and none of its output`() async throws
    {
        let failure = await error(
            try process("echo 'secret-text'; echo 'first' >&2; echo 'login expired' >&2; exit 3"))
        #expect(failure?.kind == .unavailable)
        #expect(failure?.message.hasSuffix(": login expired") == true)
        #expect(failure?.message.contains("3") == true)
        #expect(failure?.description.contains("secret-text") == false)
    }

    @Test(arguments: [
        ("", "printed something else"), ("secret-text", "printed something else"),
        ("[1]", "printed something else"),
        (#"{"AccessKeyId":"A","SecretAccessKey":"secret-text"}"#, "Version"),
        (#"{"Version":"1","AccessKeyId":"A","SecretAccessKey":"secret-text"}"#, "Version"),
        (#"{"Version":2,"AccessKeyId":"A","SecretAccessKey":"secret-text"}"#, "Version"),
        (#"{"Version":1,"AccessKeyId":"A"}"#, "gave no AccessKeyId with a SecretAccessKey"),
        (#"{"Version":1,"AccessKeyId":5,"SecretAccessKey":"secret-text"}"#, "something else"),
        (
            #"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"secret-text","Expiration":"soon"}"#,
            "Expiration"
        ),
    ]) func `what is no form of keys is refused and not shown`(
        output: String, words: String
    ) async throws {
        let failure = await error(try process("printf '%s' '\(output)'"))
        #expect(failure?.kind == .unavailable)
        #expect(failure?.description.contains(words) == true)
        #expect(failure?.description.contains("secret-text") == false)
    }

    @Test func `a process that hangs is given up`() async throws {
        let failure = await error(try process("exec sleep 600", timeout: .seconds(1)))
        #expect(failure?.message.contains("did not end within 1.0 seconds") == true)
    }

    @Test func `a process that is given up ends with all that it began`() async throws {
        let pids = folder.path("pids")
        let process = try process(
            "sleep 600 & echo $! $$ > \(pids).new; mv \(pids).new \(pids); wait")
        let task = Task { try await process.credentials() }
        try await wait { FileManager.default.fileExists(atPath: pids) }
        task.cancel()
        await #expect(throws: CredentialError.cancelled) { try await task.value }
        let text = try String(contentsOf: URL(filePath: pids), encoding: .utf8)
        let started = text.split(whereSeparator: \.isWhitespace).compactMap { pid_t($0) }
        #expect(started.count == 2)
        // An orphan is reaped by whoever adopts it, so only that it no longer runs is certain.
        try await wait { started.allSatisfy { !isRunning($0) } }
    }

    @Test(arguments: ["", " >&2"])
    func `a process that prints without end is ended`(redirection: String) async throws {
        let failure = await error(try process("yes secret-text\(redirection)"))
        #expect(failure?.message.contains("printed more than 65536 bytes") == true)
    }

    private func isRunning(_ process: pid_t) -> Bool {
        guard
            let status = try? String(
                contentsOf: URL(filePath: "/proc/\(process)/stat"), encoding: .utf8)
        else { return false }
        return status.split(separator: ")").last?.split(separator: " ").first != "Z"
    }
}
