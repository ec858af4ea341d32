import Foundation

/// Does work that never waits on a thread of its own: seconds of it would keep all other tests from the pool that they
/// share.
///
/// - Throws: what the work throws.
package func onOwnThread<Result: Sendable>(
    _ work: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Swift.Result { try work() }) }.start()
    }
}
