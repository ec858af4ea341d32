import CCurl
import Glibc

/// The thread that drives one client's transfers.
///
/// Opens CCurl.
///
/// libcurl's handles belong to this thread alone; other threads reach it through the inbox.
struct TransferThread: ~Copyable {
    private let configuration: HTTPClient.Configuration
    private let inbox: TransferInbox
    private let multi: UnsafeMutableRawPointer
    /// Those that wait for a free connection, in the order in which they came.
    ///
    /// A slice: thousands of shards may wait, and taking one from the front must not move all others.
    private var waiting: ArraySlice<TransferJob> = []
    /// When the first of them has waited too long, or earlier.
    private var nextExpiry = ContinuousClock.now
    private var active: [UInt64: Transfer] = [:]

    private static let libcurl = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    /// What the new thread takes over.
    private final class Start {
        let configuration: HTTPClient.Configuration
        let inbox: TransferInbox

        init(_ configuration: HTTPClient.Configuration, _ inbox: TransferInbox) {
            self.configuration = configuration
            self.inbox = inbox
        }
    }

    /// Starts a thread that works off `inbox` until it is closed.
    static func start(_ configuration: HTTPClient.Configuration, _ inbox: TransferInbox) {
        let start = Unmanaged.passRetained(Start(configuration, inbox))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                TransferThread(start.configuration, start.inbox).run()
                start.inbox.end()
                return nil
            }, start.toOpaque())
        // Without its thread a client can do nothing, and a process that cannot have one more thread
        // at its start cannot run at all.
        precondition(code == 0, "no thread for HTTP: \(String(cString: strerror(code)))")
        pthread_detach(thread)
    }

    private init(_ configuration: HTTPClient.Configuration, _ inbox: TransferInbox) {
        precondition(Self.libcurl == CURLE_OK, "libcurl cannot be initialised")
        guard let multi = curl_multi_init() else {
            preconditionFailure("libcurl has no memory for a multi handle")
        }
        self.configuration = configuration
        self.inbox = inbox
        self.multi = multi
        let limit = configuration.maximumConnections
        for option in [CURLMOPT_MAX_TOTAL_CONNECTIONS, CURLMOPT_MAXCONNECTS] {
            precondition(shardwalk_multi_setopt_long(multi, option, limit) == CURLM_OK)
        }
    }

    deinit { curl_multi_cleanup(multi) }

    private consuming func run() {
        blockSignals()
        inbox.attach(multi)
        while true {
            let content = inbox.take()
            guard !content.isClosed else {
                waiting += content.jobs
                break
            }
            waiting += content.jobs
            for job in content.jobs { nextExpiry = min(nextExpiry, job.deadline) }
            cancel(content.cancelled)
            // Both fail only for lack of memory or for a handle that is none.
            var running: Int32 = 0
            let performed = curl_multi_perform(multi, &running)
            precondition(performed == CURLM_OK, Self.text(performed))
            finishTransfers()
            let expiry = expireWaiting(.now)
            startTransfers()
            let polled = curl_multi_poll(multi, nil, 0, expiry, nil)
            precondition(polled == CURLM_OK, Self.text(polled))
        }
        inbox.detach()
        for job in waiting { job.continuation.resume(returning: .failure(.shutDown)) }
        for transfer in active.values { finish(transfer, .failure(.shutDown)) }
    }

    /// No signal is for this thread: the program waits for its own elsewhere, and a connection that breaks
    /// under OpenSSL has to be an error, not SIGPIPE.
    private func blockSignals() {
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Fills the free connections.
    ///
    /// A transfer that has begun makes the next poll return at once.
    private mutating func startTransfers() {
        let count = min(configuration.maximumConnections - active.count, waiting.count)
        let jobs = waiting.prefix(count)
        waiting.removeFirst(count)
        // What was taken from the front of a slice stays in memory for as long as the slice does.
        if waiting.isEmpty { waiting = [] }
        for job in jobs {
            do throws(HTTPError) {
                let transfer = try Transfer(job, configuration)
                let code = curl_multi_add_handle(multi, transfer.easy)
                guard code == CURLM_OK else { throw HTTPError(.broken, Self.text(code)) }
                active[job.id] = transfer
            } catch {
                job.continuation.resume(returning: .failure(error))
            }
        }
    }

    /// Gives up the jobs that have waited too long, and says after how many milliseconds to look again.
    ///
    /// libcurl looks after the transfers under way itself and cuts the pause short for them.
    private mutating func expireWaiting(_ now: ContinuousClock.Instant) -> Int32 {
        if nextExpiry <= now {
            var next = now + .seconds(60)
            waiting.removeAll { job in
                guard job.deadline <= now else {
                    next = min(next, job.deadline)
                    return false
                }
                let text = "no connection became free within \(job.request.timeout)"
                job.continuation.resume(returning: .failure(HTTPError(.timedOut, text)))
                return true
            }
            nextExpiry = next
        }
        return Int32((nextExpiry - now).milliseconds + 1)
    }

    private mutating func finishTransfers() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            // The message is gone once its handle is removed.
            let code = shardwalk_message_result(message)
            guard let transfer = Transfer.of(message.pointee.easy_handle) else { continue }
            active[transfer.job.id] = nil
            finish(transfer, transfer.result(code))
        }
    }

    private mutating func cancel(_ ids: [UInt64]) {
        let cancelled = Result<HTTPResponse, HTTPError>.failure(
            HTTPError(.cancelled, "the request was cancelled"))
        for id in ids {
            if let transfer = active.removeValue(forKey: id) {
                finish(transfer, cancelled)
            } else if let index = waiting.firstIndex(where: { $0.id == id }) {
                waiting.remove(at: index).continuation.resume(returning: cancelled)
            }
        }
    }

    private func finish(_ transfer: Transfer, _ result: Result<HTTPResponse, HTTPError>) {
        curl_multi_remove_handle(multi, transfer.easy)
        transfer.job.continuation.resume(returning: result)
    }

    private static func text(_ code: CURLMcode) -> String {
        "libcurl: \(String(cString: curl_multi_strerror(code)))"
    }
}
