import AWS
import FoundationEssentials
import Redis
import Walk

extension Services {
    /// How long keys have to be valid still to sign a token, in seconds: it ends with them, and has to travel.
    private static let keyLifeMinimum: TimeInterval = 60

    /// The connection to Redis that is configured; where it logs in by IAM, with tokens that are signed with the keys
    /// AWS is called with, in the service's time.
    func redis(_ config: Config) -> RedisConfiguration {
        var redis = config.redis
        guard let iam = config.iam else { return redis }
        let login = CacheLogin(
            cache: iam.cache, user: redis.address.user ?? "",
            service: iam.service == .memorydb ? .memoryDB : .elastiCache,
            region: iam.region ?? region, isServerless: iam.isServerless)
        redis.tokenLogin = TokenLogin { [credentials, serverClock] in
            let keys: Credentials
            do throws(CredentialError) {
                keys = try await credentials.credentials(remaining: Self.keyLifeMinimum)
            } catch {
                return .failure(
                    SinkError(
                        [.unavailable, .cancelled].contains(error.kind) ? .unavailable : .denied,
                        "no token for the IAM login can be made: \(error)"))
            }
            let now = serverClock.now()
            return .success(
                TokenLogin.Token(
                    login.token(signedWith: keys, at: now), advice: login.advice(keys, at: now)))
        }
        return redis
    }
}

extension CacheLogin {
    /// What is said when the cache refuses a token: all that was signed, and what may be wrong with it.
    ///
    /// The cache's one answer to any mistake is WRONGPASS (aws/aws-sdk-js-v3#6611, valkey-io/valkey-glide#5248).
    fileprivate func advice(_ keys: Credentials, at date: Date) -> String {
        let (name, action) =
            switch service {
            case .elastiCache: ("ElastiCache", "elasticache:Connect")
            case .memoryDB: ("MemoryDB", "memorydb:connect")
            }
        let kind = isServerless ? "serverless cache" : service == .memoryDB ? "cluster" : "cache"
        let serverless =
            service == .memoryDB
            ? "" : ", the cache is \(isServerless ? "" : "not ")a serverless one"
        return """
            it was the IAM login of user \(user) to the \(name) \(kind) \(cache.lowercased()) in \(region), signed \
            at \(date.ISO8601Format()) with access key \(keys.accessKeyID): check that these names are right\
            \(serverless), the user logs in by IAM, may use the cache, and has one text as its id and its name, \
            the keys are allowed \(action) on both cache and user, and this host's clock is right
            """
    }
}
