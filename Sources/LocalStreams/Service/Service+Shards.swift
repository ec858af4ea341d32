// What no request can do: shards roll over, split and end when they are told to.

extension Service {
    /// The stream of a table that is switched on.
    func openStream(of table: String) -> Stream? {
        tables[table]?.stream.flatMap { streams[$0] }.flatMap { $0.disabled == nil ? $0 : nil }
    }

    /// Closes every open shard and opens a child for each.
    mutating func rollOver() {
        for arn in streams.keys.sorted() {
            for shard in streams[arn]?.open ?? [] { streams[arn]?.rollOver(shard, at: now) }
        }
    }

    /// Closes an open shard and opens so many children that share its keys.
    /// - Returns: false where no stream has such an open shard.
    mutating func split(_ shard: String, into count: Int) -> Bool {
        guard let arn = streamName(of: shard) else { return false }
        return streams[arn]?.split(shard, into: count, at: now) ?? false
    }

    /// Closes an open shard and opens no child before one of its keys is written to again.
    /// - Returns: false where no stream has such an open shard.
    mutating func closeWithoutChild(_ shard: String) -> Bool {
        guard let arn = streamName(of: shard) else { return false }
        return streams[arn]?.closeWithoutChild(shard, at: now) ?? false
    }

    private func streamName(of shard: String) -> String? {
        streams.keys.sorted().first { streams[$0]?.shard(shard) != nil }
    }
}
