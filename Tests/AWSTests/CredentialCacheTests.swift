import FoundationEssentials
import Logging
import Synchronization
import Testing

@testable import AWS

/// The cache against a source that the test opens, fails and counts, and a clock that it moves.
@Suite(.timeLimit(.minutes(5)))
struct CredentialCacheTests {
    @Test func `a hundred waiters share one fetch`() async throws {
        let world = World()
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 3600))
        try await withThrowingTaskGroup(of: Credentials.self) { group in
            for _ in 0..<100 { group.addTask { try await cache.credentials() } }
            await until { await cache.waiters.count == 100 }
            world.release()
            for try await keys in group { #expect(keys.accessKeyID == "A") }
        }
        #expect(world.fetches == 1)
    }

    @Test func `keys are held until the window before their end`() async throws {
        let world = World(released: true)
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 7200))
        _ = try await cache.credentials()
        world.advance(by: 7200 - 900 - 1)
        #expect(try await cache.credentials().accessKeyID == "A")
        #expect(world.fetches == 1)
        world.answer(with: world.keys("B", lasting: 7200))
        world.advance(by: 2)
        // The call that enters the window still gets the old keys, and nobody waits.
        #expect(try await cache.credentials().accessKeyID == "A")
        await until { try await cache.credentials().accessKeyID == "B" }
        #expect(world.fetches == 2)
    }

    @Test func `short-lived keys are renewed in the last quarter of their life`() async throws {
        let world = World(released: true)
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 400))
        _ = try await cache.credentials()
        world.answer(with: world.keys("B", lasting: 400))
        world.advance(by: 299)
        _ = try await cache.credentials()
        #expect(world.fetches == 1)
        world.advance(by: 1)
        _ = try await cache.credentials()
        await until { try await cache.credentials().accessKeyID == "B" }
        #expect(world.fetches == 2)
    }

    @Test func `keys without an end are fetched once`() async throws {
        let world = World(released: true)
        let cache = world.cache()
        world.answer(with: Credentials(accessKeyID: "A", secretAccessKey: "s"))
        _ = try await cache.credentials()
        world.advance(by: 1e9)
        #expect(try await cache.credentials().accessKeyID == "A")
        #expect(world.fetches == 1)
    }

    @Test func `a failed fetch leaves valid keys in use and is tried again after a pause`()
        async throws
    {
        let world = World(released: true)
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 3600))
        _ = try await cache.credentials()
        world.fail()
        world.advance(by: 2800)
        #expect(try await cache.credentials().accessKeyID == "A")
        await until { world.fetches == 2 }
        // Within the pause, which is at least a second, no call fetches.
        await settle(cache)
        for _ in 0..<10 { #expect(try await cache.credentials().accessKeyID == "A") }
        #expect(world.fetches == 2)
        world.answer(with: world.keys("B", lasting: 3600))
        world.advance(by: 60)
        _ = try await cache.credentials()
        await until { try await cache.credentials().accessKeyID == "B" }
        #expect(world.fetches == 3)
    }

    @Test func `when the keys have ended a failure is thrown until a fetch succeeds`() async throws
    {
        let world = World(released: true)
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 3600))
        _ = try await cache.credentials()
        world.fail()
        world.advance(by: 3600)
        await #expect(throws: World.failure) { try await cache.credentials() }
        await #expect(throws: World.failure) { try await cache.credentials() }
        #expect(world.fetches == 2)
        world.answer(with: world.keys("B", lasting: 3600))
        world.advance(by: 60)
        #expect(try await cache.credentials().accessKeyID == "B")
    }

    @Test func `keys that have ended already are refused`() async throws {
        let world = World(released: true)
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 0))
        let error = await #expect(throws: CredentialError.self) { try await cache.credentials() }
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains("ended at") == true)
    }

    @Test func `keys that end too soon for a use are renewed before it`() async throws {
        let world = World(released: true)
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 3600))
        _ = try await cache.credentials()
        world.advance(by: 3600 - 61)
        #expect(try await cache.credentials(remaining: 60).accessKeyID == "A")
        await settle(cache)
        world.answer(with: world.keys("B", lasting: 3600))
        world.advance(by: 1)
        #expect(try await cache.credentials(remaining: 60).accessKeyID == "B")
    }

    @Test func `where only keys can be had that end too soon, there are none for that use`()
        async throws
    {
        let world = World(released: true)
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 60))
        let error = await #expect(throws: CredentialError.self) {
            try await cache.credentials(remaining: 60)
        }
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains("too soon to sign with") == true)
        #expect(try await cache.credentials().accessKeyID == "A")
        world.answer(with: world.keys("B", lasting: 3600))
        #expect(try await cache.credentials(remaining: 60).accessKeyID == "B")
        #expect(world.fetches == 2)
    }

    @Test func `a renewal is shared and takes newer keys where they are held`() async throws {
        let world = World()
        let cache = world.cache()
        let old = world.keys("A", lasting: 3600)
        world.answer(with: old)
        world.release()
        _ = try await cache.credentials()
        world.hold()
        world.answer(with: world.keys("B", lasting: 3600))
        try await withThrowingTaskGroup(of: Credentials.self) { group in
            for _ in 0..<100 { group.addTask { try await cache.renew(old) } }
            await until { await cache.waiters.count == 100 }
            world.release()
            for try await keys in group { #expect(keys.accessKeyID == "B") }
        }
        #expect(world.fetches == 2)
        #expect(try await cache.renew(old).accessKeyID == "B")
        #expect(world.fetches == 2)
    }

    @Test func `a refusal of renewed keys fetches again after thirty seconds only`() async throws {
        let world = World(released: true)
        let cache = world.cache()
        let keys = Credentials(accessKeyID: "A", secretAccessKey: "s")
        world.answer(with: keys)
        _ = try await cache.credentials()
        #expect(try await cache.renew(keys) == keys)
        let error = await #expect(throws: CredentialError.self) { try await cache.renew(keys) }
        #expect(error?.kind == .denied)
        #expect(world.fetches == 2)
        world.advance(by: 31)
        #expect(try await cache.renew(keys) == keys)
        #expect(world.fetches == 3)
    }

    @Test func `a cancelled waiter leaves the fetch to the others`() async throws {
        let world = World()
        let cache = world.cache()
        world.answer(with: world.keys("A", lasting: 3600))
        let leaver = Task { try await cache.credentials() }
        let stayer = Task { try await cache.credentials() }
        await until { await cache.waiters.count == 2 }
        leaver.cancel()
        await #expect(throws: CredentialError.cancelled) { try await leaver.value }
        world.release()
        #expect(try await stayer.value.accessKeyID == "A")
        #expect(world.fetches == 1)
    }

    @Test func `a cancelled task starts no fetch`() async throws {
        let world = World(released: true)
        let cache = world.cache()
        let keys = Credentials(accessKeyID: "A", secretAccessKey: "s")
        let task = Task {
            await until { Task.isCancelled }
            return try await cache.renew(keys)
        }
        task.cancel()
        await #expect(throws: CredentialError.cancelled) { try await task.value }
        #expect(world.fetches == 0)
    }

    /// Returns when the cache has taken in what the last fetch brought: its actor serves in turn.
    private func settle(_ cache: CredentialCache) async {
        await until { await !cache.fetching }
    }
}

/// Waits for a condition; the suite's time limit is the deadline.
private func until(_ condition: () async throws -> Bool) async {
    while true {
        if let met = try? await condition(), met { return }
        await Task.yield()
    }
}

/// A source of keys and a clock, both in the test's hand.
private final class World: Sendable {
    static let failure = CredentialError(.unavailable, "no answer")

    private struct State {
        var outcome: Result<Credentials, CredentialError> = .failure(World.failure)
        var fetches = 0
        var released: Bool
        var seconds: TimeInterval = 0
    }

    private let state: Mutex<State>
    private let start = ContinuousClock.now
    private let epoch = Date(timeIntervalSince1970: 1_800_000_000)

    init(released: Bool = false) {
        state = Mutex(State(released: released))
    }

    var fetches: Int { state.withLock { $0.fetches } }

    func answer(with keys: Credentials) { state.withLock { $0.outcome = .success(keys) } }
    func fail() { state.withLock { $0.outcome = .failure(World.failure) } }
    func release() { state.withLock { $0.released = true } }
    func hold() { state.withLock { $0.released = false } }
    func advance(by seconds: TimeInterval) { state.withLock { $0.seconds += seconds } }

    func keys(_ id: String, lasting seconds: TimeInterval) -> Credentials {
        Credentials(
            accessKeyID: id, secretAccessKey: "s", sessionToken: "t", expiration: now() + seconds)
    }

    func cache() -> CredentialCache {
        CredentialCache(
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            now: { self.now() },
            instant: { self.start + .seconds(self.state.withLock { $0.seconds }) },
            fetch: { () async throws(CredentialError) in
                self.state.withLock { $0.fetches += 1 }
                await until { self.state.withLock { $0.released } }
                return try self.state.withLock { $0.outcome }.get()
            })
    }

    private func now() -> Date { epoch + state.withLock { $0.seconds } }
}
