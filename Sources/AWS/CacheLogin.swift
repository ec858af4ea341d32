package import FoundationEssentials

/// Who logs in to which cache of ElastiCache or MemoryDB by IAM: makes the tokens that stand for passwords.
///
/// A token is a presigned request that nobody sends: the cache's service checks its signature. It is good for
/// logging in for 15 minutes, and the connection then lives for 12 hours from its last login. Sources: ElastiCache
/// User Guide, "Authenticating with IAM"; MemoryDB Developer Guide, page of the same name; AWS's own sample
/// (aws-samples/elasticache-iam-auth-demo-app, `IAMAuthTokenRequest`).
package struct CacheLogin: Hashable, Sendable {
    /// The service that runs the cache, by its name in signatures.
    package enum Service: String, Sendable {
        case elastiCache = "elasticache"
        case memoryDB = "memorydb"
    }

    /// The cache's name: that of a replication group, a serverless cache or a MemoryDB cluster; not a host's.
    package let cache: String
    /// The user's id, which in IAM mode is its name as well.
    package let user: String
    /// The service that runs the cache.
    package let service: Service
    /// The region that the cache is in.
    package let region: String
    /// Whether the cache is one of ElastiCache Serverless, whose tokens say so.
    package let isServerless: Bool

    /// How long a token is good for; the services refuse any that ask for longer.
    private static let lifetimeSeconds = 900

    /// A login of one user to one cache.
    package init(
        cache: String, user: String, service: Service, region: String, isServerless: Bool
    ) {
        self.cache = cache
        self.user = user
        self.service = service
        self.region = region
        self.isServerless = isServerless
    }

    /// A new token: a secret, like the password that it stands for.
    ///
    /// It ends with the keys that sign it, if that is sooner. `date` is AWS's present time, as well as it is known.
    package func token(signedWith credentials: Credentials, at date: Date) -> String {
        // Source: the services want the name in lower case, and so in the token as in its signature.
        let host = cache.lowercased()
        var parameters = [(name: "Action", value: "connect"), (name: "User", value: user)]
        if isServerless { parameters.append(("ResourceType", "ServerlessCache")) }
        let query = Signer(credentials: credentials, region: region, service: service.rawValue)
            .presignedQuery(
                host: host, parameters, lifetimeSeconds: Self.lifetimeSeconds, at: date)
        return "\(host)/?\(query)"
    }
}
