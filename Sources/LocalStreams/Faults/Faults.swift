extension LocalStreams {
    /// What goes wrong, by chance and by script.
    package struct Faults: Hashable, Sendable {
        /// How likely each fault is for a request that can meet with it; 1 at the most in sum.
        package var chances: [Fault: Double]
        /// The operations that meet with faults by chance, such as `GetRecords`; all of them where none is named.
        package var operations: Set<String>
        /// How many of the 500s, 503s and resets that come by chance come after the request was served: a
        /// share, 0...1.
        package var lateShare: Double
        /// How long a body takes that trickles.
        package var trickle: Duration
        /// What is bound to go wrong.
        ///
        /// Of several steps that a request meets, the first one counts.
        package var script: [Step]

        /// A part of a script: answers that some requests get.
        package struct Step: Hashable, Sendable {
            /// What goes wrong.
            package var fault: Fault
            /// The operations concerned, such as `GetRecords`; all of them where none is named.
            package var operations: Set<String>
            /// How many of these requests are left alone before the first fault.
            package var skip: Int
            /// How many faults there are; nil for any number.
            package var count: Int?
            /// How long after the script was set the step begins, in real time.
            package var from: Duration
            /// How long after that it ends; nil for never.
            package var lasting: Duration?
            /// Whether the request is served before its answer is lost, for faults that can be so.
            package var isLate: Bool

            /// A step that concerns every request at once, unless something else is said.
            package init(
                _ fault: Fault, operations: Set<String> = [], skip: Int = 0, count: Int? = nil,
                from: Duration = .zero, lasting: Duration? = nil, isLate: Bool = false
            ) {
                self.fault = fault
                self.operations = operations
                self.skip = skip
                self.count = count
                self.from = from
                self.lasting = lasting
                self.isLate = isLate
            }
        }

        /// Faults by chance and by script; none where nothing is said.
        package init(
            chances: [Fault: Double] = [:], operations: Set<String> = [], lateShare: Double = 0.5,
            trickle: Duration = .milliseconds(500), script: [Step] = []
        ) {
            precondition(chances.values.allSatisfy { $0 >= 0 } && (0...1).contains(lateShare))
            precondition(chances.values.reduce(0, +) <= 1.000_001, "chances are parts of one")
            self.chances = chances
            self.operations = operations
            self.lateShare = lateShare
            self.trickle = trickle
            self.script = script
        }

        /// Nothing goes wrong.
        package static let none = Faults()

        /// What a network and a service do on a bad day: one request in twenty fails, each in a way that a
        /// client can make good by asking again.
        package static let rough = Faults(chances: [
            .internalError: 0.01, .unavailable: 0.01, .reset: 0.01, .cut: 0.005,
            .trickle: 0.002, .wrongChecksum: 0.005, .throttled: 0.008,
        ])

        /// The same with one request in three, and with everything else from which a client can recover
        /// without loss: a wrong clock, iterators that expire early, keys that are refused for once.
        package static let storm = Faults(chances: [
            .internalError: 0.05, .unavailable: 0.05, .reset: 0.05, .cut: 0.04, .trickle: 0.01,
            .wrongChecksum: 0.03, .throttled: 0.05, .expiredToken: 0.01, .clockSkew: 0.02,
            .expiredIterator: 0.02,
        ])
    }
}

/// Decides, request by request, what goes wrong.
///
/// The same faults, seed, requests and times give the same mishaps.
struct FaultSequence: Sendable {
    /// What goes wrong with one request.
    struct Mishap: Hashable, Sendable {
        /// What it is.
        let fault: LocalStreams.Fault
        /// Whether the request is served first.
        let isLate: Bool

        /// Whether the request is not served at all.
        var preventsEffect: Bool { !isLate && !fault.leavesRequest }
    }

    private var faults = LocalStreams.Faults.none
    /// The real time in milliseconds from which the script counts.
    private var start = 0
    private var generator: SeededGenerator

    /// Nothing goes wrong until faults are set.
    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// How long a body takes that trickles, in milliseconds.
    var trickle: Int { faults.trickle.milliseconds }

    /// Replaces all faults; the script begins at `moment`, in milliseconds of real time.
    mutating func set(_ faults: LocalStreams.Faults, at moment: Int) {
        self.faults = faults
        start = moment
    }

    /// What goes wrong with a request at a moment, in milliseconds of real time; nil for nothing.
    mutating func next(for operation: Operation, at moment: Int) -> Mishap? {
        scripted(operation, moment - start) ?? byChance(operation)
    }

    private mutating func scripted(_ operation: Operation, _ elapsed: Int) -> Mishap? {
        var found: Mishap?
        faults.script.removeAll { step in
            let end = step.lasting.map { step.from.milliseconds + $0.milliseconds }
            return step.count == 0 || end.map { elapsed >= $0 } ?? false
        }
        for index in faults.script.indices {
            let step = faults.script[index]
            guard elapsed >= step.from.milliseconds, step.fault.isPossible(for: operation),
                Self.concerns(step.operations, operation)
            else { continue }
            if step.skip > 0 {
                faults.script[index].skip -= 1
            } else if found == nil {
                faults.script[index].count = step.count.map { $0 - 1 }
                found = Mishap(fault: step.fault, isLate: step.isLate && step.fault.canBeLate)
            }
        }
        return found
    }

    /// Whether an operation is among those that are named; all are where none is.
    private static func concerns(_ names: Set<String>, _ operation: Operation) -> Bool {
        names.isEmpty || names.contains(operation.name)
    }

    private mutating func byChance(_ operation: Operation) -> Mishap? {
        guard !faults.chances.isEmpty, Self.concerns(faults.operations, operation) else {
            return nil
        }
        var rest = Double.random(in: 0..<1, using: &generator)
        let isLate = Double.random(in: 0..<1, using: &generator) < faults.lateShare
        for fault in LocalStreams.Fault.allCases where fault.isPossible(for: operation) {
            rest -= faults.chances[fault] ?? 0
            if rest < 0 { return Mishap(fault: fault, isLate: isLate && fault.canBeLate) }
        }
        return nil
    }
}
