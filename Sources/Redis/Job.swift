import Walk

/// One batch, or a few commands, on the way through a connection.
///
/// It is sent in one piece, together with others; the replies find their way back here, and it is done when the last of
/// them is in.
struct Job {
    /// What is to be sent.
    enum Content: Sendable {
        /// Changes; all of them must be acknowledged.
        case batch(Batch)
        /// Commands whose replies are wanted, whatever they are; with an era, over that connection alone.
        case commands(CommandBuffer, era: Int?)
    }

    /// What came of a job: the replies that are wanted (none for a batch), and the connection that they came over.
    struct Answer: Sendable {
        /// The replies to commands.
        var replies: [Reply] = []
        /// The number of the connection.
        let era: Int
        /// How the server knows the connection, see ``Session/identity``.
        let identity: String?
        /// Why a part of a batch was not carried out, while the rest was.
        var torn: SinkError?
    }

    /// What became of a job, or why it failed.
    typealias Outcome = Result<Answer, SinkError>

    /// The connection that the job is meant for; nil for any.
    let era: Int?
    /// The number of its commands, once they are sent.
    private(set) var commandCount = 0
    /// The refusal that says that the connection is of no more use.
    private(set) var ending: SinkError?
    /// The refusal of a batch.
    private(set) var failure: SinkError?
    private let content: Content
    private let continuation: CheckedContinuation<Outcome, Never>
    private var torn: SinkError?
    private var names: [String] = []
    private var replies: [Reply] = []

    /// A job whose sender awaits `continuation`; it is resumed exactly once.
    init(_ content: Content, _ continuation: CheckedContinuation<Outcome, Never>) {
        self.content = content
        self.continuation = continuation
        era =
            switch content {
            case .batch(let batch): batch.step?.step.era
            case .commands(_, let era): era
            }
    }

    /// Whether everything was sent and answered.
    var isDone: Bool { commandCount > 0 && replies.count == commandCount }

    /// Whether the job is bound to another connection than that of `era`.
    func isMeant(forOtherThan era: Int) -> Bool { self.era.map { $0 != era } ?? false }

    /// Adds the commands if there is room for them; an empty buffer takes any.
    mutating func send(into buffer: inout CommandBuffer) -> Bool {
        let before = buffer.count
        switch content {
        case .batch(let batch):
            guard buffer.hasRoom(commands: batch.commandCountMax, bytes: batch.byteCountMax) else {
                return false
            }
            names = batch.append(to: &buffer)
        case .commands(let commands, _):
            guard buffer.hasRoom(commands: commands.count, bytes: commands.bytes.count) else {
                return false
            }
            buffer.append(commands)
        }
        commandCount = buffer.count - before
        return true
    }

    /// Takes the reply to the oldest command that was not answered.
    ///
    /// - Throws: `unavailable` if the replies cannot be those of the commands: the two sides have lost count.
    mutating func take(_ reply: Reply) throws(SinkError) {
        defer { replies.append(reply) }
        if case .error(let error) = reply {
            // The first refusal tells the story: the others are its repetition, or say that the transaction was dropped.
            let name = names.isEmpty ? "a command" : names[replies.count]
            let refusal = error.sinkError(for: name)
            if error.verdict.endsConnection { ending = ending ?? refusal }
            if case .batch = content { failure = failure ?? refusal }
        }
        guard case .batch(let batch) = content, failure == nil, replies.count == commandCount - 1
        else { return }
        switch try batch.objection(to: replies + [reply], of: names) {
        case nil: break
        case .misplaced(let reason): failure = reason
        case .torn(let reason): torn = reason
        }
    }

    /// Tells the sender what became of the job over a connection.
    func finish(era: Int, identity: String?) {
        var answer = Answer(era: era, identity: identity, torn: torn)
        if case .commands = content { answer.replies = replies }
        continuation.resume(returning: failure.map { .failure($0) } ?? .success(answer))
    }

    /// Tells the sender that the job could not be finished; a refusal that came before goes first.
    func fail(_ reason: SinkError) {
        continuation.resume(returning: .failure(failure ?? reason))
    }
}
