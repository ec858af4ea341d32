import Subprocess
import SystemPackage

/// A program of the user's that prints keys, named by `credential_process` in a profile.
///
/// It runs without a shell, with nothing on its standard input, for a minute at most. What it prints on its
/// standard output is never shown, of its standard error only the end.
/// Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
struct CredentialProcess: Sendable {
    /// The program and its arguments.
    let words: [String]
    /// The profile that names it, for messages.
    let profile: String
    /// The program's whole environment.
    let environment: [String: String]
    /// How long it may run.
    var timeout = Duration.seconds(60)

    /// The most that it may print on either of its outputs, in bytes.
    private static let outputLimit = 64 << 10

    /// Runs the program and reads the keys that it prints.
    func credentials() async throws(CredentialError) -> Credentials {
        let place = "the credential_process of the profile \(profile)"
        let printed = try await run(place)
        guard let issued = IssuedKeys(printed) else {
            throw CredentialError(
                .unavailable, "\(place) printed something else than keys in JSON",
                remedy: "run it by hand, and compare with the form that the SDKs expect")
        }
        guard issued.version?.number == 1 else {
            throw CredentialError(
                .unavailable, "\(place) printed keys whose Version is not the number 1",
                remedy: "let it print \"Version\": 1")
        }
        return try issued.credentials(from: place)
    }

    private func run(_ place: String) async throws(CredentialError) -> [UInt8] {
        do {
            return try await withThrowingTaskGroup(of: [UInt8].self) { group in
                group.addTask { try await output(place) }
                group.addTask {
                    try await Task.sleep(for: timeout)
                    throw CredentialError(
                        .unavailable, "\(place) did not end within \(timeout) and was killed",
                        remedy: "run it by hand: it may wait for an answer that nobody gives")
                }
                // Whichever ends first decides; the other one is cancelled, and a program then killed.
                defer { group.cancelAll() }
                for try await bytes in group { return bytes }
                throw CancellationError()
            }
        } catch let error as CredentialError {
            throw error
        } catch let error as SubprocessError where error.code == .outputLimitExceeded {
            throw CredentialError(
                .unavailable, "\(place) printed more than \(Self.outputLimit) bytes",
                remedy: "let it print the keys alone")
        } catch let error as SubprocessError {
            throw CredentialError(
                .unavailable, "\(place) could not be run: \(error)",
                remedy: "check that \(words.first ?? "") exists and may be executed")
        } catch {
            throw .cancelled
        }
    }

    /// What the program prints, if it then ends well.
    private func output(_ place: String) async throws -> [UInt8] {
        guard let program = words.first else { return [] }
        var options = PlatformOptions()
        // A group of its own, so that what the program started ends with it.
        options.processGroupID = 0
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(2))
        ]
        let result = try await Subprocess.run(
            program.contains("/") ? .path(FilePath(program)) : .name(program),
            arguments: Arguments(Array(words.dropFirst())),
            environment: .custom(environment.map { Array("\($0.key)=\($0.value)\0".utf8) }),
            platformOptions: options, input: .none, output: .bytes(limit: Self.outputLimit),
            error: .string(limit: Self.outputLimit))
        guard result.terminationStatus.isSuccess else {
            let words = result.standardError.split(whereSeparator: \.isNewline).last ?? ""
            throw CredentialError(
                .unavailable,
                "\(place) failed (\(result.terminationStatus)): \(words.suffix(300))",
                remedy: "run it by hand as the daemon's user")
        }
        return result.standardOutput
    }
}
