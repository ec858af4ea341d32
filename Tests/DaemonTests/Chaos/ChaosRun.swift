import Foundation
import LocalRedis
import LocalStreams
import Synchronization
import TestBed
import Testing
import Walk

/// Real processes in trouble: emulator, redis-server and shardwalk, with a proxy before each of the servers.
///
/// A workload writes to the table all the time. Troubles come as the plan of a seed has them, some at once. Readers of the cache
/// never see a value go back, but for what a failover itself takes back; when all is over the cache has to equal the table,
/// without a gap.
struct ChaosRun {
    /// What a run has shown.
    struct Report {
        /// How often each kind of trouble came.
        var troubles: [String: Int] = [:]
        /// How often the daemon was started.
        var starts = 0
        /// How many items the table held at its end.
        var items = 0
        /// The troubles that this machine can't make, and why.
        var leftOut: [String] = []
    }

    /// How much room the checkpoint has: a few dozen times what it takes.
    private static let diskSize = "4m"
    /// The items whose version only grows, as the workload has it.
    private static let growing = ["item-60000", "item-60004", "item-60008", "item-60012"]

    /// The seed of plan, workload and emulator.
    let seed: UInt64
    /// How long the workload writes, in seconds.
    let seconds: Int
    /// Is told what happens, line by line.
    let tell: @Sendable (String) -> Void

    /// Runs to the end.
    ///
    /// - Throws: when cache and table differ, the daemon ends strangely, or something else than troubles goes wrong.
    func run() async throws -> Report {
        let configuration = LocalStreams.Configuration(
            partitions: 3, rolloverEvery: .seconds(2), rolloverRecords: 100, splitShare: 0.1,
            splitChildren: 3, leafShare: 0.1, speed: 60, listingDelayMax: .seconds(60),
            recordDelayMax: .seconds(10), faults: .none, seed: seed, credentials: Stage.keys)
        let settings = ChaosServers.durable
        return try await withStage(configuration, redisSettings: settings) { stage, streams in
            do {
                return try await withRedisServer(
                    tcp: true, settings: [Stage.redisUser] + settings
                ) { replica in
                    let servers = try ChaosServers(stage.redis, replica, watching: Self.growing)
                    do {
                        let report = try await run(on: stage, streams, servers)
                        await servers.end()
                        return report
                    } catch {
                        await servers.end()
                        throw error
                    }
                }
            } catch {
                // The stage goes, and with it what could explain this.
                let path = ".build/chaos-\(seed).log"
                try Data(stage.log.utf8).write(to: URL(filePath: path))
                throw TestBedError("\(error); the daemon's log is kept in \(path)")
            }
        }
    }

    private func run(
        on stage: Stage, _ streams: LocalStreams, _ servers: ChaosServers
    ) async throws -> Report {
        let disk = try await ChaosDisk(size: Self.diskSize)
        defer { disk?.remove() }
        let clock = try ChaosClock(stage.folder.path("clock"))
        var report = Report()
        if disk == nil {
            report.leftOut.append("full disks: this user may not mount in a namespace of its own")
        }
        let streamProxy = try Proxy(to: try port(in: streams.endpoint))
        defer { streamProxy.end() }
        let folder = disk?.path ?? stage.checkpointFolder
        try configure(stage, streamProxy.port, servers.address.port, checkpoint: folder)
        let daemon = SupervisedDaemon(stage, clock: clock)
        let scene = Scene(
            stage: stage, streams: streams, daemon: daemon, streamProxy: streamProxy,
            servers: servers, disk: disk, clock: clock)
        var plan = ChaosPlan(seed: seed)

        let expected = try await withThrowingTaskGroup(of: Void.self) { group in
            async let table = Workload.write(
                to: streams.endpoint, seed: seed, seconds: seconds, everyKind: true)
            try await wait { !streams.openShards(of: "items").isEmpty }
            group.addTask { try await daemon.supervise() }
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end {
                let step = plan.next()
                let troubles = step.troubles.filter(scene.allows)
                try await perform(troubles, step, scene)
                for trouble in troubles { report.troubles[trouble.kind, default: 0] += 1 }
            }
            let expected = try await table
            tell("the workload is done: \(expected.count) items")
            try await waitForCache(expected, servers, daemon)
            try await waitForRecovery(stage, checkpoint: folder)
            group.cancelAll()
            try await group.waitForAll()
            return expected
        }
        try await finish(stage, daemon, checkpoint: folder)
        let setbacks = servers.setbacks
        if !setbacks.isEmpty {
            throw TestBedError("values went back: \(setbacks.joined(separator: ", "))")
        }
        report.starts = daemon.starts
        report.items = expected.count
        return report
    }

    private func perform(
        _ troubles: [ChaosPlan.Trouble], _ step: ChaosPlan.Step, _ scene: Scene
    ) async throws {
        try await Task.sleep(for: step.calm)
        guard !troubles.isEmpty else { return }
        let names = troubles.map(\.description).joined(separator: ", ")
        tell("\(names) for \(step.length)")
        for trouble in troubles { try await scene.begin(trouble) }
        try await Task.sleep(for: step.length)
        for trouble in troubles.reversed() { try await scene.end(trouble) }
    }

    /// Waits until the cache holds what the table held at its end, or throws with the keys in which they differ.
    private func waitForCache(
        _ table: [Data: Data], _ servers: ChaosServers, _ daemon: SupervisedDaemon
    ) async throws {
        var cache: [Data: Data] = [:]
        do {
            try await wait(atMost: 60) {
                if let end = daemon.strangeEnd { throw TestBedError(end) }
                cache = (try? await servers.items()) ?? [:]
                return cache == table
            }
        } catch {
            let keys = Set(table.keys).union(cache.keys).filter { table[$0] != cache[$0] }
                .map { String(reflecting: String(decoding: $0, as: UTF8.self)) }.sorted()
            let names = keys.joined(separator: ", ")
            throw TestBedError("\(error): cache and table differ in \(keys.count) keys: \(names)")
        }
    }

    /// Waits until the daemon knows that all it had lost is there again.
    private func waitForRecovery(_ stage: Stage, checkpoint folder: String) async throws {
        try await wait(atMost: 60) {
            try stage.checkpoint(in: folder)?.streams.values.allSatisfy(\.lost.isEmpty) ?? false
        }
    }

    private func finish(
        _ stage: Stage, _ daemon: SupervisedDaemon, checkpoint folder: String
    ) async throws {
        #expect(try await daemon.stop() == 0)
        #expect(try processes(naming: stage.configPath).isEmpty, "every daemon has ended")
        let positions = try await stage.positions()
        #expect(!positions.isEmpty, "status knows the shards")
        let gaps = try #require(try stage.checkpoint(in: folder)).streams.values.flatMap(\.gaps)
        #expect(gaps.isEmpty, "\(gaps)")
    }

    /// The numbers of the processes that have a path in their command lines.
    private func processes(naming path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { number in
            // A process may end before its line is read.
            let line = FileManager.default.contents(atPath: "/proc/\(number)/cmdline") ?? Data()
            return Int(number) != nil && String(decoding: line, as: UTF8.self).contains(path)
        }
    }

    private func configure(
        _ stage: Stage, _ streamPort: Int, _ cachePort: Int, checkpoint folder: String
    ) throws {
        try stage.configure([
            "checkpoint": #"{"directory": "\#(folder)"}"#,
            "aws": """
            {"region": "us-east-1", "endpoint": "http://127.0.0.1:\(streamPort)", "proxy": "", \
            "requestTimeoutSeconds": 2}
            """,
            "redis": """
            {"url": "redis://walker:${REDIS_PASSWORD}@127.0.0.1:\(cachePort)", \
            "commandTimeoutSeconds": 1}
            """,
        ])
    }

    private func port(in endpoint: String) throws -> Int {
        try #require(endpoint.split(separator: ":").last.flatMap { Int($0) })
    }
}

/// Everything that can be in trouble.
private struct Scene {
    /// Longer than an iterator lives, by the emulator's clock.
    private static let iteratorsLife = Duration.seconds(16 * 60)

    let stage: Stage
    let streams: LocalStreams
    let daemon: SupervisedDaemon
    let streamProxy: Proxy
    let servers: ChaosServers
    let disk: ChaosDisk?
    let clock: ChaosClock

    /// Whether the machine can make a trouble.
    func allows(_ trouble: ChaosPlan.Trouble) -> Bool {
        switch trouble {
        case .fullDisk: disk != nil
        default: true
        }
    }

    func begin(_ trouble: ChaosPlan.Trouble) async throws {
        switch trouble {
        case .killDaemon: try await daemon.kill()
        case .freezeDaemon: daemon.signal(SIGSTOP)
        case .killRedis: await servers.primary.kill()
        case .freezeRedis, .restartAtFrozenRedis: servers.primary.pause()
        case .failOver: servers.cut()
        case .emptyRedis: try await servers.empty()
        case .streamWay(let way): streamProxy.make(way)
        case .cacheWay(let way): servers.address.make(way)
        case .storm:
            // The workload is to go on.
            var storm = LocalStreams.Faults.storm
            storm.operations = [
                "DescribeStream", "GetShardIterator", "GetRecords", "DescribeTable",
            ]
            streams.set(storm)
        case .fullDisk: try disk?.fill()
        case .wrongClock(let seconds): try clock.set(seconds)
        }
    }

    func end(_ trouble: ChaosPlan.Trouble) async throws {
        switch trouble {
        case .killDaemon: daemon.resume()
        case .freezeDaemon:
            streams.advance(by: Self.iteratorsLife)
            daemon.signal(SIGCONT)
        case .killRedis, .emptyRedis: try await servers.primary.restart()
        case .freezeRedis: servers.primary.resume()
        case .restartAtFrozenRedis(let pause):
            try await daemon.kill()
            daemon.resume()
            try await Task.sleep(for: .milliseconds(pause))
            servers.primary.resume()
        case .failOver: try await servers.failOver()
        case .streamWay: streamProxy.make(.open)
        case .cacheWay: servers.address.make(.open)
        case .storm: streams.set(.none)
        case .fullDisk: disk?.empty()
        case .wrongClock: try clock.set(0)
        }
    }
}
