import Redis

extension Config {
    /// A login to the cache by IAM, in place of a password.
    struct IAM: Equatable, Sendable {
        /// The service that runs the cache.
        enum Service: String, CaseIterable, Sendable {
            case elasticache, memorydb
        }

        /// The cache's name.
        var cache: String
        /// The service that runs the cache.
        var service: Service
        /// Whether the cache is a serverless one.
        var isServerless: Bool
        /// The region of the cache; nil takes the one that AWS is called in.
        var region: String?
    }

    /// Notes what is wrong with an address that is logged in to by IAM.
    ///
    /// ElastiCache and MemoryDB take such logins over TLS alone (User Guide, "Authenticating with IAM").
    static func checkIAM(
        _ section: ConfigReader, _ address: RedisAddress, passwordFile: String?
    ) {
        if case .sentinels = address.place {
            section.wrong(
                "iam",
                "is for ElastiCache and MemoryDB, which have no sentinels: give a rediss:// address in url"
            )
        }
        if !address.isSecure {
            section.wrong("iam", "needs TLS: give an address that begins with rediss:// in url")
        }
        if address.user == nil {
            section.wrong("iam", "needs a user: give rediss://user@host:port in url")
        }
        if address.password != nil || passwordFile != nil {
            section.wrong(
                "iam",
                "is given beside a password in \(passwordFile == nil ? "url" : "passwordFile"): give one of them"
            )
        }
    }
}

extension Config.IAM {
    /// Reads the section; nil where it names no cache, and so asks for no login by IAM.
    init?(_ section: ConfigReader) {
        let cache = section.string("cache")
        service = section.word("service", default: .elasticache)
        isServerless = section.flag("serverless")
        region = section.string("region")
        guard let cache else {
            if service != .elasticache || isServerless || region != nil {
                section.wrong("cache", "is missing: name the cache to log in to")
            }
            return nil
        }
        self.cache = cache
        // 1 to 40 of these characters: the services' own rule. A dot is that of an address, the usual mistake.
        let isName =
            (1...40).contains(cache.utf8.count)
            && cache.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") }
        if !isName {
            section.wrong(
                "cache",
                "is no cache's name: give the 1 to 40 letters, digits and - that name the replication group, serverless cache or cluster, not its address"
            )
        }
        if let region,
            region.isEmpty
                || !region.utf8.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "-") })
        {
            section.wrong("region", "is no region: give one such as us-east-1")
        }
        if isServerless, service == .memorydb {
            section.wrong("serverless", "is true: only caches of elasticache are serverless")
        }
    }
}
