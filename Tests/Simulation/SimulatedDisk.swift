import Walk

/// The checkpoint as one process of the daemon keeps it: the daemon's own file, on the simulated disk.
///
/// It saves on the thread of the simulation, since the queue that the daemon has for it knows no seed.
struct SimulatedDisk: CheckpointStore {
    private let world: World
    private let life: Life
    private let file: CheckpointFile<SimulatedFiles>

    /// Opens the checkpoint of a process.
    ///
    /// - Throws: what the daemon would say on the same disk.
    init(_ world: World, _ life: Life) throws(CheckpointError) {
        self.world = world
        self.life = life
        file = try CheckpointFile(
            directory: "/state", name: Simulator.name,
            files: SimulatedFiles(world: world, life: life))
    }

    /// What an earlier process has left.
    func load() throws(CheckpointError) -> Checkpoint? { try file.load() }

    func save(
        _ current: @escaping @Sendable () -> Checkpoint
    ) async throws(CheckpointError) {
        await life.pause(in: world)
        let checkpoint = current()
        var failure: CheckpointError?
        do throws(CheckpointError) { try file.saveNow(checkpoint) } catch { failure = error }
        examine(checkpoint, isPromised: failure == nil)
        world.note("saved: \(failure?.description ?? "yes")")
        await life.pause(in: world)
        if let failure { throw failure }
    }

    /// Looks at what a process would find now, after a save; if that `isPromised` to be on disk, it stays there.
    private func examine(_ checkpoint: Checkpoint, isPromised: Bool) {
        let scenario = world.scenario
        let problems = world.access { state -> [String] in
            let bytes = state.disk.read(Self.path)
            let isNew = bytes != state.saved.bytes
            if checkpoint.streams[Simulator.stream] != nil { state.saved.hasBeginning = true }
            defer {
                if isPromised {
                    state.saved.possible = [bytes]
                } else if isNew {
                    state.saved.possible.append(bytes)
                }
            }
            guard isNew else { return isPromised && bytes == nil ? ["nothing was saved"] : [] }
            guard let bytes, let found = Self.decode(bytes) else {
                return ["the checkpoint is damaged"]
            }
            let stream = found.streams[Simulator.stream]
            let check = Invariants(
                state, stream?.beginning, world.clock, scenario)
            var problems = check.problems(inSaving: stream)
            if found != checkpoint { problems.append("the checkpoint is not read as it was saved") }
            if let former = state.saved.bytes { state.saved.former.append(former) }
            if !state.notes.mayRewindUntilEstablished { state.notes.mayRewind = false }
            state.saved.bytes = bytes
            state.saved.content = found
            return problems
        }
        for problem in problems { world.violate(problem) }
    }

    /// Where the checkpoint is.
    static let path = CheckpointFile<SimulatedFiles>.path(
        directory: "/state", name: Simulator.name)

    /// Reads a checkpoint; nil when it can't be read.
    static func decode(_ bytes: [UInt8]) -> Checkpoint? {
        try? Checkpoint(decoding: bytes, name: Simulator.name)
    }
}
