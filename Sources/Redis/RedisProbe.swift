import Foundation
package import Walk

/// Connects once, logs in, asks whether the server answers, and returns what it says about itself.
///
/// Changes nothing. It fails where writing would fail for now: the server loads, or is a replica.
///
/// - Throws: `unavailable` or `denied`, with the reason and what can be done.
package func probeRedis(
    _ configuration: RedisConfiguration
) async throws(SinkError) -> ServerInfo {
    let outcome = await withCheckedContinuation {
        (continuation: CheckedContinuation<Result<ServerInfo, SinkError>, Never>) in
        Thread {
            continuation.resume(
                returning: Result { () throws(SinkError) in
                    let session = try Session(configuration, PrimaryFinder(configuration))
                    // A user that may not send PING has been answered as well.
                    if let refusal = try session.ping(within: configuration.commandTimeout),
                        refusal.code != "NOPERM"
                    {
                        throw refusal.sinkError(for: "PING")
                    }
                    return session.server
                })
        }.start()
    }
    return try outcome.get()
}
