/// What a connection to Redis needs to know.
package struct RedisConfiguration: Sendable {
    /// Where the server is.
    package var address: RedisAddress
    /// How the server is verified where the address asks for TLS.
    package var tls = RedisTLS()
    /// The password, asked for at each login, so that one that was changed is found; nil for none.
    ///
    /// An error that it throws is shown as it is, and must not contain the password.
    package var password: @Sendable () throws -> String?
    /// Logs in with tokens, and again and again, in place of the password; nil for passwords.
    package var tokenLogin: TokenLogin?
    /// The user to log in as at sentinels; nil for their default user.
    package var sentinelUser: String?
    /// The password of sentinels, asked for as the server's is; nil for none.
    package var sentinelPassword: @Sendable () throws -> String? = { nil }
    /// The time that connecting and logging in may take together, asking sentinels included.
    package var connectTimeout: Duration = .seconds(5)
    /// The time for which a pipeline may make no progress: no byte taken, no reply given.
    package var commandTimeout: Duration = .seconds(10)
    /// The daemon's name, under which the positions of its streams are held in Redis; nil where none are held.
    package var positionsName: String?
    /// The name that the server shows for the connection; no spaces.
    package var clientName: String = "shardwalk"
    /// The time after which a silent connection is asked whether it still lives.
    package var idleLimit: Duration = .seconds(30)
    /// The time that a connection has to answer that.
    package var idleTimeout: Duration = .seconds(5)

    /// The defaults for a server; without `password`, the one in the address is used.
    package init(
        address: RedisAddress, password: (@Sendable () throws -> String?)? = nil
    ) {
        self.address = address
        self.password = password ?? { address.password }
    }
}
