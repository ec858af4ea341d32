import Logging
import Redis
import Walk

/// The positions that Redis holds, as a command reads them that changes nothing.
struct HeldPositions: Sendable {
    /// The positions of each stream, or why they can't be read.
    var streams: [StreamARN: Result<PositionHash.Content, SinkError>] = [:]
    /// Why Redis could not be asked at all, if it could not.
    var failure: SinkError?

    /// The positions of a stream; nil where they could not be read.
    func content(of stream: StreamARN) -> PositionHash.Content? {
        try? streams[stream]?.get()
    }

    /// The first failure, for the exit code.
    var firstFailure: SinkError? {
        failure
            ?? streams.values.lazy.compactMap { result in
                if case .failure(let error) = result { error } else { nil }
            }.first
    }

    /// Asks for the streams that are `known`, and for all others that Redis has positions of under the same name.
    static func read(
        _ configuration: RedisConfiguration, known: some Sequence<StreamARN>
    ) async -> HeldPositions {
        var held = HeldPositions()
        do throws(SinkError) {
            // What there is to say is the command's own to say.
            let sink = try RedisSink(
                configuration, logger: Logger(label: "positions") { _ in SwiftLogNoOpLogHandler() })
            await held.ask(sink, known: known)
            await sink.close()
        } catch {
            held.failure = error
        }
        return held
    }

    private mutating func ask(_ sink: RedisSink, known: some Sequence<StreamARN>) async {
        let others: [StreamARN]
        do throws(SinkError) {
            others = try await sink.streams()
        } catch {
            failure = error
            return
        }
        for stream in Set(known).union(others) {
            do throws(SinkError) {
                streams[stream] = .success(try await sink.positions(of: stream))
            } catch {
                streams[stream] = .failure(error)
            }
        }
    }
}

extension Stop {
    /// The end that a Redis brings which can't be asked.
    init(_ error: SinkError) {
        self.init(error.kind == .unavailable ? .unavailable : .denied, "\(error)")
    }
}
