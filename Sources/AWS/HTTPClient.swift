import CCurl
import Synchronization

/// Sends HTTP/1.1 requests over connections that are kept and used again.
///
/// Opens CCurl.
///
/// One thread drives all transfers on one libcurl multi handle. Tasks leave their requests in an inbox and
/// wake the thread; it resumes them with the answer. It never follows redirects, never retries by itself
/// (libcurl repeats a request only when a kept connection turns out to be closed before any answer) and
/// always verifies the server's certificate.
package final class HTTPClient: Sendable {
    ///
    /// What all requests of a client have in common.
    package struct Configuration: Sendable {
        /// The most connections that are open at once, and so the most requests under way; others wait.
        package var maximumConnections = 64
        /// A file with the certificates, in PEM form, that a server's certificate may lead to; nil takes
        /// the system's.
        package var certificateBundle: String?
        /// The proxy's address; nil takes the one that libcurl reads from the environment (`https_proxy`,
        /// `no_proxy` and so on).
        package var proxy: String?
        /// What the client calls itself.
        package var userAgent = "shardwalk"

        /// The defaults.
        package init() {}
    }

    private let inbox: TransferInbox

    /// A client with a thread of its own, which ends with `shutdown` or with the client.
    package init(_ configuration: Configuration = Configuration()) {
        precondition(configuration.maximumConnections > 0)
        inbox = TransferInbox()
        TransferThread.start(configuration, inbox)
    }

    deinit { inbox.close() }

    /// Sends a request once and returns the answer, whatever its status.
    ///
    /// - Throws: `HTTPError`. When the task is cancelled the transfer is given up at once, and its
    ///   connection with it.
    package func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        let id = inbox.nextID()
        let deadline = ContinuousClock.now + request.timeout
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                inbox.add(
                    TransferJob(
                        id: id, request: request, deadline: deadline, continuation: continuation))
                // A cancellation that came before the job had found nothing to cancel.
                if Task.isCancelled { inbox.cancel(id) }
            }
        } onCancel: {
            inbox.cancel(id)
        }
        return try result.get()
    }

    /// Gives up what is under way, ends the thread and returns when it has ended.
    ///
    /// Requests that are sent later fail with `.cancelled`.
    package func shutdown() async {
        await withCheckedContinuation { inbox.close(whenEnded: $0) }
    }
}

/// A request with the task that waits for its answer.
struct TransferJob: Sendable {
    /// Names the job among those of one client.
    let id: UInt64
    /// What to send.
    let request: HTTPRequest
    /// When to give up.
    let deadline: ContinuousClock.Instant
    /// The task that waits; resumed exactly once.
    let continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>
}

/// Where tasks leave work for the thread that drives the transfers.
final class TransferInbox: Sendable {
    /// What has come in since the thread looked last.
    struct Content: ~Copyable {
        /// Requests, in the order in which they came.
        var jobs: [TransferJob] = []
        /// Jobs whose tasks were cancelled; they may be done already.
        var cancelled: [UInt64] = []
        /// Whether the thread is to end.
        var isClosed = false
    }

    private struct State: ~Copyable {
        var content = Content()
        var lastID: UInt64 = 0
        var hasEnded = false
        var endWaiters: [CheckedContinuation<Void, Never>] = []
        // Nil before the thread has begun to poll and after it has stopped.
        var multi: UnsafeMutableRawPointer?

        /// Wakes the thread.
        ///
        /// Safe from any thread as long as the handle lives, which the lock ensures.
        func wake() {
            if let multi { curl_multi_wakeup(multi) }
        }
    }

    private let state = Mutex(State())

    /// A number for a new job.
    func nextID() -> UInt64 {
        state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
    }

    /// Hands a job to the thread, or fails it when the client has been shut down.
    func add(_ job: TransferJob) {
        let accepted = state.withLock { state in
            guard !state.content.isClosed else { return false }
            state.content.jobs.append(job)
            if state.content.jobs.count == 1 { state.wake() }
            return true
        }
        if !accepted { job.continuation.resume(returning: .failure(.shutDown)) }
    }

    /// Asks the thread to give up a job.
    func cancel(_ id: UInt64) {
        state.withLock { state in
            guard !state.content.isClosed else { return }
            state.content.cancelled.append(id)
            if state.content.cancelled.count == 1 { state.wake() }
        }
    }

    /// Asks the thread to end, and resumes `waiter` when it has.
    func close(whenEnded waiter: CheckedContinuation<Void, Never>? = nil) {
        let hasEnded = state.withLock { state in
            state.content.isClosed = true
            if let waiter, !state.hasEnded { state.endWaiters.append(waiter) }
            state.wake()
            return state.hasEnded
        }
        if hasEnded { waiter?.resume() }
    }

    /// Tells the inbox whom to wake from now on.
    ///
    /// Called by the thread.
    func attach(_ multi: UnsafeMutableRawPointer) {
        // The address is only ever used under the lock.
        let address = UInt(bitPattern: multi)
        state.withLock { $0.multi = UnsafeMutableRawPointer(bitPattern: address) }
    }

    /// Tells the inbox that nobody can be woken any more.
    ///
    /// Called by the thread.
    func detach() {
        state.withLock { $0.multi = nil }
    }

    /// Takes everything that has come in.
    ///
    /// Called by the thread.
    func take() -> Content {
        state.withLock { state in
            var content = Content()
            content.isClosed = state.content.isClosed
            swap(&content, &state.content)
            return content
        }
    }

    /// Resumes those who wait for the end.
    ///
    /// The thread's last act.
    func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            return state.endWaiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension HTTPError {
    /// The answer to requests of a client that has ended.
    static let shutDown = HTTPError(.cancelled, "the HTTP client was shut down")
}
