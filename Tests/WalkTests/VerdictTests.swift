import Testing
import Walk

@Suite struct VerdictTests {
    @Test(arguments: [
        (SourceError.Kind.throttled, Verdict.retryLater), (.unavailable, .retry),
        (.denied, .retrySlowly), (.expiredIterator, .reopen), (.trimmed, .trimmed),
        (.notFound, .gone), (.invalid, .block), (.cancelled, .retry),
    ])
    func `each failure of the stream has one meaning`(kind: SourceError.Kind, verdict: Verdict) {
        #expect(Verdict(on: SourceError(kind, operation: "GetRecords", message: "")) == verdict)
    }

    @Test(arguments: [
        (SinkError.Kind.unavailable, Verdict.retry), (.denied, .retrySlowly), (.refused, .block),
    ])
    func `each failure of the cache has one meaning`(kind: SinkError.Kind, verdict: Verdict) {
        #expect(Verdict(on: SinkError(kind, "")) == verdict)
    }

    @Test(arguments: [Verdict.retry, .retryLater, .retrySlowly, .reopen, .trimmed, .gone, .block])
    func `no verdict spins`(verdict: Verdict) {
        var backoff = Backoff(
            base: .milliseconds(100), maximum: .seconds(5), generator: SeededGenerator(seed: 1))
        let pauses = (0..<20).map { _ in verdict.pause(&backoff) }
        #expect(pauses.allSatisfy { $0 >= .milliseconds(10) })
        if verdict == .retrySlowly { #expect(pauses.allSatisfy { $0 >= .seconds(30) }) }
    }

    @Test func `an error names its operation, code and request`() {
        let error = SourceError(
            .throttled, operation: "GetRecords", code: "ThrottlingException",
            message: "Rate exceeded", requestID: "ABC")
        #expect("\(error)" == "GetRecords: ThrottlingException: Rate exceeded (request ABC)")
        #expect("\(SinkError(.refused, "OOM"))" == "OOM")
    }
}
