import Foundation
import LocalRedis
import Synchronization
import TestBed

/// The cache's two servers behind one address: a primary, and a replica that takes its place.
final class ChaosServers: Sendable {
    /// What a server that loses nothing is set to: every write is on disk before it is acknowledged.
    static let durable = [
        "appendonly yes", "appendfsync always", "repl-diskless-sync-delay 0",
    ]

    /// The way to the primary.
    let address: Proxy
    private let servers: [RedisServer]
    private let caches: [Cache]
    private let watches: [ChaosWatch]
    private let primaryIndex = Mutex(0)

    /// Makes `replica` the replica of `primary`, and watches the values of some keys in both.
    init(_ primary: RedisServer, _ replica: RedisServer, watching keys: [String]) throws {
        servers = [primary, replica]
        guard let port = primary.port else { throw TestBedError("the server has no port") }
        address = try Proxy(to: Int(port))
        caches = try servers.map(Cache.init)
        watches = zip(servers, ["first", "second"]).map { server, name in
            ChaosWatch(server, name: "the \(name) server", keys: keys)
        }
        try follow()
    }

    private var index: Int { primaryIndex.withLock { $0 } }
    /// The server that is written to.
    var primary: RedisServer { servers[index] }
    private var replica: RedisServer { servers[1 - index] }

    /// Every key of the primary with its value.
    func items() async throws -> [Data: Data] { try await caches[index].items() }

    /// How a key's value went back as no reader may ever see it.
    var setbacks: [String] { watches.flatMap(\.setbacks) }

    /// Lets the replica fall behind, without a word to whoever writes.
    func cut() { replica.command("REPLICAOF 127.0.0.1 1") }

    /// Kills the primary and lets the replica take its place, and the old primary become its replica.
    func failOver() async throws {
        await primary.kill()
        replica.command("REPLICAOF NO ONE")
        watches[1 - index].follow(nil)
        primaryIndex.withLock { $0 = 1 - $0 }
        address.lead(to: try port(of: primary))
        try await replica.restart()
        try follow()
    }

    /// Kills the primary and takes away what it has on its disk.
    func empty() async throws {
        cut()
        await primary.kill()
        let folder = URL(filePath: primary.socketPath).deletingLastPathComponent()
        try? FileManager.default.removeItem(at: folder.appending(path: "appendonlydir"))
        watches[index].forget()
        // The replica gives up what it has when it finds the primary again.
        try follow()
    }

    /// Ends all but the servers themselves.
    func end() async {
        for watch in watches { watch.end() }
        address.end()
        for cache in caches { await cache.close() }
    }

    private func follow() throws {
        replica.command("REPLICAOF 127.0.0.1 \(try port(of: primary))")
        watches[1 - index].follow(primary)
    }

    private func port(of server: RedisServer) throws -> Int {
        guard let port = server.port else { throw TestBedError("the server has no port") }
        return Int(port)
    }
}

/// A reader that asks a server for some keys all the time, whose versions only grow.
///
/// It may see a value go back where the server itself takes over what another one has, or was emptied.
private final class ChaosWatch: Sendable {
    private struct State {
        /// The newest version of each key that was seen.
        var newest: [String: Int] = [:]
        var setbacks: [String] = []
        /// Whether the server is still to take over what its primary has.
        var isJoining = false
        /// Grows whenever what was asked before counts no more.
        var epoch = 0
        var isOver = false
    }

    private let server: RedisServer
    private let name: String
    private let keys: [String]
    private let state = Mutex(State())

    /// Begins to read, on a thread of its own: a server that stands still lets it wait.
    init(_ server: RedisServer, name: String, keys: [String]) {
        self.server = server
        self.name = name
        self.keys = keys
        Thread { [self] in run() }.start()
    }

    /// What went back.
    var setbacks: [String] { state.withLock(\.setbacks) }

    /// Expects that the server takes over what another one has, or, without one, that it is a primary from now on.
    func follow(_ primary: RedisServer?) {
        state.withLock { state in
            state.epoch += 1
            // One that never came so far goes on from what it had.
            if primary == nil, state.isJoining { state.newest = [:] }
            state.isJoining = primary != nil
        }
    }

    /// Expects that the server begins anew.
    func forget() {
        state.withLock { state in
            state.epoch += 1
            state.newest = [:]
        }
    }

    /// Ends the reading.
    func end() { state.withLock { $0.isOver = true } }

    private func run() {
        while true {
            let (isOver, isJoining, epoch) = state.withLock { ($0.isOver, $0.isJoining, $0.epoch) }
            if isOver { break }
            if isJoining {
                join(epoch)
            } else {
                for key in keys { look(at: key, epoch) }
            }
            usleep(3_000)
        }
    }

    private func join(_ epoch: Int) {
        guard let answer = server.command("INFO replication"),
            answer.contains("master_link_status:up")
        else { return }
        state.withLock { state in
            guard state.epoch == epoch else { return }
            state.newest = [:]
            state.isJoining = false
        }
    }

    private func look(at key: String, _ epoch: Int) {
        // A server that loads, or is gone, says nothing of the key.
        guard let answer = server.command("GET \(key)"), answer == "$-1" || answer.hasPrefix("{")
        else { return }
        let version = answer.firstMatch(of: /"version":\{"N":"(\d+)"/).flatMap { Int($0.output.1) }
        state.withLock { state in
            guard state.epoch == epoch else { return }
            let (old, new) = (state.newest[key] ?? 0, version ?? 0)
            if new < old { state.setbacks.append("\(name): \(key) from \(old) to \(new)") }
            state.newest[key] = new
        }
    }
}
