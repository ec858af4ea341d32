import Logging

/// The daemon's log: what it reports of the cache's losses has to be true.
struct SimulatedLog: LogHandler {
    let world: World
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard event.message.description == "what the cache had lost is written again",
            let text = event.metadata?["records"]?.description, let records = Int(text)
        else { return }
        let problem = world.access { [scenario = world.scenario] world -> String? in
            defer { world.notes.recovered = 0 }
            // What was trimmed is given up, in part unseen.
            guard !scenario.losesRecords else { return nil }
            let left = world.notes.pending.count
            guard left == 0 else { return "\(left) records are not written again and said to be" }
            let recovered = world.notes.recovered
            return recovered == records
                ? nil : "\(recovered) records are written again, \(records) are said to be"
        }
        world.note("the log: \(records) records are written again")
        if let problem { world.violate(problem) }
    }
}
