// The demo's and the tests' own redis-server. It promises that a server which was started answers, that it
// listens on loopback or a socket in a private directory alone, and that neither the process nor the
// directory outlives this process when that exits (a process that is killed leaves both behind).
// It assumes a redis-server on PATH, or named by SHARDWALK_REDIS_SERVER. Secrets among the settings are
// written to a private file, never into process arguments.

package import Foundation
import Glibc
import Synchronization

/// A private redis-server: a process of its own, with a directory that is removed in the end.
package final class RedisServer: Sendable {
    /// The directory of the server's data, socket, configuration and output.
    package let directory: URL
    /// The TCP port on 127.0.0.1, or nil where the server listens on its socket alone.
    package let port: UInt16?
    private let isSecure: Bool
    private let isSentinel: Bool
    private let state: Mutex<State>

    private struct State {
        var settings: [String]
        var process: Process?
    }

    /// The path of the server's socket.
    package var socketPath: String { directory.appending(path: "redis.sock").path }

    /// The server's address: its TCP port if it has one, else its socket.
    package var url: String {
        port.map { "\(isSecure ? "rediss" : "redis")://127.0.0.1:\($0)" } ?? "unix://\(socketPath)"
    }

    /// The process id, or nil while the server is not running.
    package var processID: Int32? {
        state.withLock { $0.process.flatMap { $0.isRunning ? $0.processIdentifier : nil } }
    }

    private init(
        directory: URL, port: UInt16?, isSecure: Bool, isSentinel: Bool, settings: [String]
    ) {
        self.directory = directory
        self.port = port
        self.isSecure = isSecure
        self.isSentinel = isSentinel
        state = Mutex(State(settings: settings, process: nil))
    }

    /// Starts a server and returns when it answers; call `end()` when it is no longer needed.
    ///
    /// With `tcp` it also listens on a free port of 127.0.0.1, and with `tls` there is TLS on that port, whose
    /// certificates are among the settings. With `sentinel` it is one, whose primaries are among the settings.
    /// `settings` are further lines of its configuration, such as `requirepass secret`; they win over the ones
    /// given here, which switch persistence off. Throws `RedisServerError` if there is no redis-server, or it
    /// ends or stays silent for a minute.
    package static func start(
        tcp: Bool = false, tls: Bool = false, sentinel: Bool = false, settings: [String] = []
    ) async throws -> RedisServer {
        let directory = try makePrivateDirectory()
        let tcp = tcp || tls
        let portAttempts = tcp ? 5 : 1
        for attempt in 1...portAttempts {
            let server = RedisServer(
                directory: directory, port: tcp ? try freePort() : nil, isSecure: tls,
                isSentinel: sentinel, settings: settings)
            do {
                try await server.launch()
                return server
            } catch {
                await server.kill()
                // Somebody else may have taken the free port before the server could.
                if attempt < portAttempts, server.output.contains("Address already in use") {
                    continue
                }
                LiveServers.remove(directory)
                throw error
            }
        }
        throw RedisServerError("no free port on 127.0.0.1 after \(portAttempts) attempts")
    }

    /// Ends the server in good order (SIGTERM), or by force if that takes longer than 5 s.
    ///
    /// The directory stays, for `restart`.
    package func stop() async {
        await end(by: SIGTERM)
    }

    /// Kills the server: what it has not written to its directory is lost.
    package func kill() async {
        await end(by: SIGKILL)
    }

    /// Starts the server again in the same directory, at the same address.
    ///
    /// A server that still runs is stopped before.
    ///
    /// - Parameter settings: New lines for the configuration, or nil for the last ones.
    /// - Throws: `RedisServerError` as `start` does.
    package func restart(settings: [String]? = nil) async throws {
        await stop()
        if let settings { state.withLock { $0.settings = settings } }
        try await launch()
    }

    /// Freezes the process: its connections stay open and are not answered.
    package func pause() { signal(SIGSTOP) }

    /// Lets a frozen process go on.
    package func resume() { signal(SIGCONT) }

    /// Kills the server and removes its directory: it cannot be started again.
    package func end() async {
        await kill()
        LiveServers.remove(directory)
    }

    /// Sends a command as one line of words, over a connection of its own.
    ///
    /// Returns the first line of the reply as it came, such as `+OK` or `:3`, or the text of a bulk string;
    /// nil if it does not come within a minute: long, since that only matters when the server is lost.
    @discardableResult
    package func command(_ line: String) -> String? {
        answer(to: line, atSocket: socketPath, within: 60)
    }

    /// The last lines that the server wrote to its output.
    package var output: String {
        let text =
            (try? Data(contentsOf: outputFile)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").suffix(15).joined(separator: "\n")
    }

    private var outputFile: URL { directory.appending(path: "output") }

    private func signal(_ number: Int32) {
        if let processID { Glibc.kill(processID, number) }
    }

    /// Writes the configuration, starts the process and waits until it answers.
    private func launch() async throws {
        let settings = state.withLock { $0.settings }
        let configuration = directory.appending(path: "redis.conf")
        let lines =
            [
                "bind 127.0.0.1", "port \(isSecure ? 0 : port ?? 0)", "unixsocket \(socketPath)",
                "unixsocketperm 700", "dir \(directory.path)", "save \"\"", "daemonize no",
            ] + (isSecure ? ["tls-port \(port ?? 0)"] : [])
        try Data((lines + settings).map { $0 + "\n" }.joined().utf8).write(to: configuration)

        let process = Process()
        process.executableURL = try Self.executable()
        process.arguments = [configuration.path] + (isSentinel ? ["--sentinel"] : [])
        process.standardInput = FileHandle.nullDevice
        guard FileManager.default.createFile(atPath: outputFile.path, contents: nil) else {
            throw RedisServerError("cannot write to \(directory.path)")
        }
        let output = try FileHandle(forWritingTo: outputFile)
        process.standardOutput = output
        process.standardError = output
        try Self.run(process)
        try output.close()
        LiveServers.insert(directory, process: process)
        state.withLock { $0.process = process }
        try await waitForAnswer(of: process)
    }

    /// Starts the process with no signal blocked.
    ///
    /// The threads of the concurrency pool block all signals, a child inherits that, and a redis-server that
    /// cannot see SIGTERM can only be killed.
    private static func run(_ process: Process) throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    private func waitForAnswer(of process: Process) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        // A refusal for want of a password is an answer too.
        while answer(to: "PING", atSocket: socketPath, within: 1)?.hasPrefix("-LOADING") ?? true {
            guard process.isRunning else {
                throw RedisServerError("redis-server ended at its start:\n\(self.output)")
            }
            guard ContinuousClock.now < deadline else {
                throw RedisServerError("redis-server does not answer for a minute:\n\(self.output)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func end(by number: Int32) async {
        guard let process = state.withLock({ $0.process }) else { return }
        signal(number)
        // A frozen process keeps SIGTERM for later.
        signal(SIGCONT)
        let deadline = ContinuousClock.now + .seconds(5)
        while process.isRunning {
            if ContinuousClock.now > deadline { signal(SIGKILL) }
            // A cancelled task must not leave the process behind, so it waits all the same.
            try? await Task.sleep(for: .milliseconds(2))
        }
        state.withLock { $0.process = nil }
    }

    private static func executable() throws -> URL {
        let environment = ProcessInfo.processInfo.environment
        let candidates: [String]
        if let named = environment["SHARDWALK_REDIS_SERVER"], !named.isEmpty {
            candidates = [named]
        } else {
            candidates = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
                .map { "\($0)/redis-server" }
        }
        for path in candidates where FileManager.default.isExecutableFile(atPath: path) {
            return URL(filePath: path)
        }
        throw RedisServerError(
            """
            no redis-server at \(candidates.joined(separator: ", ")): install it \
            (apt-get install redis-server) or name it in SHARDWALK_REDIS_SERVER
            """)
    }
}

/// Runs `body` with a server of its own, and ends the server whatever becomes of it.
///
/// - Throws: What `RedisServer.start` and `body` throw.
package func withRedisServer<Result>(
    tcp: Bool = false, tls: Bool = false, sentinel: Bool = false, settings: [String] = [],
    _ body: (RedisServer) async throws -> Result
) async throws -> Result {
    let server = try await RedisServer.start(
        tcp: tcp, tls: tls, sentinel: sentinel, settings: settings)
    do {
        let result = try await body(server)
        await server.end()
        return result
    } catch {
        await server.end()
        throw error
    }
}

/// A server that could not be started.
package struct RedisServerError: Error, CustomStringConvertible {
    /// What happened, with the end of the server's output.
    package let description: String

    init(_ description: String) { self.description = description }
}
