import Records
import Walk

/// One batch on its way through a connection: how much of it was sent and answered.
///
/// Large batches are sent in pieces, small ones share a piece with others; the replies find their way
/// back here, and the batch is done when the last of them is in.
struct Job {
    /// What is to be sent.
    enum Content: Sendable {
        /// The changes of a page; every one of them must be acknowledged.
        case changes(ChangeSet)
        /// Commands whose replies are wanted, whatever they are.
        case commands(CommandBuffer)
    }

    /// What became of a batch: the replies that are wanted (none for changes), or why it failed.
    typealias Outcome = Result<[Reply], SinkError>

    /// Whether a refusal says that the connection is of no more use.
    private(set) var endsConnection = false
    private let content: Content
    private let continuation: CheckedContinuation<Outcome, Never>
    private var sent = 0
    private var answered = 0
    private var replies: [Reply] = []
    /// The first refusal of one of its commands.
    private(set) var failure: SinkError?

    /// A batch whose sender awaits `continuation`; it is resumed exactly once.
    init(_ content: Content, _ continuation: CheckedContinuation<Outcome, Never>) {
        self.content = content
        self.continuation = continuation
    }

    /// The number of commands.
    private var count: Int {
        switch content {
        case .changes(let changes): changes.count
        case .commands(let commands): commands.count
        }
    }

    /// Whether a part of it has been sent.
    var hasBegun: Bool { sent > 0 }

    /// Whether nothing more is to be sent or awaited: all is answered, or what was sent is and has failed.
    var isDone: Bool { answered == sent && (sent == count || failure != nil) }

    /// Adds as many commands as there is room for, and returns their number.
    mutating func send(into buffer: inout CommandBuffer) -> Int {
        let before = sent
        switch content {
        case .changes(let changes):
            while sent < changes.count, buffer.hasRoom(for: changes.changes[sent]) {
                buffer.append(changes, in: sent..<sent + 1)
                sent += 1
            }
        case .commands(let commands):
            guard sent == 0, buffer.hasRoom(for: commands) else { return 0 }
            buffer.append(commands)
            sent = commands.count
        }
        return sent - before
    }

    /// Takes the reply to the oldest command that was not answered.
    ///
    /// - Throws: `unavailable` if the reply cannot be that command's: the two sides have lost count.
    mutating func take(_ reply: Reply) throws(SinkError) {
        defer { answered += 1 }
        if case .error(let error) = reply, error.verdict.endsConnection { endsConnection = true }
        guard case .changes(let changes) = content else {
            replies.append(reply)
            return
        }
        let isRemoval = changes.changes[answered].value == .removed
        switch reply {
        case .status where !isRemoval, .integer where isRemoval: return
        case .error(let error):
            // The first refusal tells the story; the others are mostly its repetition.
            failure = failure ?? error.sinkError(for: isRemoval ? "DEL" : "SET")
        default:
            throw SinkError(.unavailable, "the server's replies do not match the commands")
        }
    }

    /// Tells the sender what became of the batch.
    func finish() {
        continuation.resume(returning: failure.map { .failure($0) } ?? .success(replies))
    }

    /// Tells the sender that the batch could not be finished; a refusal that came before goes first.
    func fail(_ reason: SinkError) {
        continuation.resume(returning: .failure(failure ?? reason))
    }
}
