// What no request can do: shards roll over and split when they are told to.

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

    /// Closes an open shard and opens two children that share its keys.
    /// - Returns: false where no stream has such an open shard.
    mutating func split(_ shard: String) -> Bool {
        for arn in streams.keys.sorted() where streams[arn]?.shard(shard) != nil {
            return streams[arn]?.split(shard, at: now) ?? false
        }
        return false
    }
}
