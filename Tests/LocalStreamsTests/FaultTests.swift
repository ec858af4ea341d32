import Testing

@testable import LocalStreams

/// Faults as values: what happens to which request.
@Suite struct FaultTests {
    private func sequence(_ faults: LocalStreams.Faults, seed: UInt64 = 1) -> FaultSequence {
        var sequence = FaultSequence(seed: seed)
        sequence.set(faults, at: 1_000)
        return sequence
    }

    /// The faults that a run of requests meets, one request in a millisecond.
    private func faults(
        _ sequence: inout FaultSequence, _ operation: Operation = .getRecords, count: Int,
        from moment: Int = 1_000
    ) -> [LocalStreams.Fault?] {
        (0..<count).map { sequence.next(for: operation, at: moment + $0)?.fault }
    }

    @Test func `nothing goes wrong unless somebody says so`() {
        var sequence = sequence(.none)
        let found = faults(&sequence, count: 1_000)
        #expect(found.allSatisfy { $0 == nil })
    }

    @Test func `the same seed gives the same faults, as often as their chances say`() {
        var (first, second) = (sequence(.storm), sequence(.storm))
        var other = sequence(.storm, seed: 2)
        let found = faults(&first, count: 10_000)
        #expect(found == faults(&second, count: 10_000))
        #expect(found != faults(&other, count: 10_000))
        for fault in LocalStreams.Fault.allCases {
            let share = Double(found.count { $0 == fault }) / 10_000
            #expect(abs(share - (LocalStreams.Faults.storm.chances[fault] ?? 0)) < 0.01)
        }
    }

    @Test func `steps of a script follow one another, and leave other operations alone`() {
        var sequence = sequence(
            LocalStreams.Faults(script: [
                .init(.throttled, operations: ["GetRecords"], skip: 1, count: 2),
                .init(.reset, operations: ["GetRecords", "PutItem"], count: 1),
                .init(.expiredIterator, count: 1),
            ]))
        #expect(faults(&sequence, .scan, count: 3) == [nil, nil, nil])
        // The first request is left alone by the first step, and so met by the second one.
        #expect(
            faults(&sequence, count: 5) == [.reset, .throttled, .throttled, .expiredIterator, nil])
        #expect(faults(&sequence, .putItem, count: 1) == [nil])
    }

    @Test func `a step in time begins and ends on time`() {
        var sequence = sequence(
            LocalStreams.Faults(script: [
                .init(.accessDenied, from: .milliseconds(2), lasting: .milliseconds(3))
            ]))
        let expected: [LocalStreams.Fault?] = [
            nil, nil, .accessDenied, .accessDenied, .accessDenied, nil,
        ]
        #expect(faults(&sequence, count: 6) == expected)
    }

    @Test func `only what can be late is late`() {
        var sequence = sequence(
            LocalStreams.Faults(
                script: LocalStreams.Fault.allCases.map { .init($0, count: 1, isLate: true) }))
        for fault in LocalStreams.Fault.allCases {
            let mishap = sequence.next(for: .getRecords, at: 1_000)
            #expect(mishap?.fault == fault)
            #expect(
                mishap?.isLate == [.internalError, .unavailable, .reset].contains(fault))
        }
    }

    @Test func `a file of faults says what the values say`() throws {
        let json = """
            {"chances":{"reset":0.25,"throttled":1e-2},"lateShare":0,"trickleSeconds":2.5,
             "script":[{"fault":"accessDenied","operations":["GetRecords"],"fromSeconds":5,
             "forSeconds":1.5},{"fault":"internalError","skip":3,"count":2,"late":true}]}
            """
        let faults = try LocalStreams.Faults(json: Array(json.utf8))
        let expected = LocalStreams.Faults(
            chances: [.reset: 0.25, .throttled: 0.01], lateShare: 0, trickle: .seconds(2.5),
            script: [
                .init(
                    .accessDenied, operations: ["GetRecords"], from: .seconds(5),
                    lasting: .seconds(1.5)),
                .init(.internalError, skip: 3, count: 2, isLate: true),
            ])
        #expect(faults == expected)
    }

    @Test(arguments: [
        ("[]", "the file: give an object"),
        ("{", "the file: not JSON, at byte 1"),
        (
            #"{"chance":{}}"#,
            "chance: unknown: use chances, operations, lateShare, trickleSeconds, script"
        ),
        (#"{"chances":{"cut":1.5}}"#, "chances.cut: give a number from 0.0 to 1.0"),
        (#"{"chances":{"cut":0.6,"reset":0.6}}"#, "chances: their sum is more than 1"),
        (#"{"script":[{"fault":"cut"},{"late":true}]}"#, "script[1].fault: give one of "),
        (#"{"script":[{"fault":"cut","operations":["Get"]}]}"#, "script[0].operations: give a"),
        (#"{"script":[{"fault":"cut","count":0}]}"#, "script[0].count: give a number from 1.0"),
        (#"{"script":[{"fault":"cut","late":1}]}"#, "script[0].late: give true or false"),
    ])
    func `mistakes in a file are named with their place`(json: String, message: String) {
        let error = #expect(throws: LocalStreams.FaultsError.self) {
            _ = try LocalStreams.Faults(json: Array(json.utf8))
        }
        #expect(error?.description.hasPrefix(message) == true, "\(error.map { "\($0)" } ?? "")")
    }
}
