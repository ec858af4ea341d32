/// What a server says about itself: the few fields of INFO that matter here.
package struct ServerInfo: Hashable, Sendable {
    /// `Redis 7.0.15` or `Valkey 8.1.0`; nil where the user may not ask.
    package let version: String?
    /// `master` or `slave`, in INFO's words; nil where the user may not ask.
    package let role: String?
    /// Whether the server is a replica that refuses writes.
    package let isReadOnlyReplica: Bool
    /// What is evicted when memory is full, such as `noeviction`; nil where the server does not say.
    package let maxmemoryPolicy: String?

    /// The name that the server gave itself when it started; nil where it does not say.
    package let runID: String?
    /// How many keys were evicted since the server started; nil where it does not say.
    package let evictedKeys: Int?

    /// Whether the server is a node of a cluster.
    package let isInCluster: Bool

    /// Reads the answer to INFO; a text without any known field is that of a server that says nothing.
    package init(info: String) {
        var fields: [Substring: Substring] = [:]
        for line in info.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        if let valkey = fields["valkey_version"] {
            version = "Valkey \(valkey)"
        } else {
            version = fields["redis_version"].map { "Redis \($0)" }
        }
        role = fields["role"].map(String.init)
        // A replica that can be written to is unusual, but what somebody wants who sets it up.
        isReadOnlyReplica = fields["role"] == "slave" && fields["slave_read_only"] != "0"
        isInCluster = fields["redis_mode"] == "cluster" || fields["cluster_enabled"] == "1"
        runID = fields["run_id"].map(String.init)
        evictedKeys = fields["evicted_keys"].flatMap { Int($0) }
        maxmemoryPolicy = fields["maxmemory_policy"].map(String.init)
    }
}
