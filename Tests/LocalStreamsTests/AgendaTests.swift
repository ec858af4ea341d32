import Testing

@testable import LocalStreams

@Suite struct AgendaTests {
    @Test func `the earliest comes first, and of those at one moment the one noted first`() {
        var generator = SeededGenerator(seed: 7)
        var agenda = Agenda<Int>()
        var expected: [(moment: Moment, entry: Int)] = []
        var found: [(moment: Moment, entry: Int)] = []
        for number in 0..<2_000 {
            let moment = Moment(milliseconds: Int.random(in: 0..<200, using: &generator))
            agenda.note(number, at: moment)
            expected.append((moment, number))
        }
        // Stable: of those at one moment the numbers grow.
        expected.sort { ($0.moment, $0.entry) < ($1.moment, $1.entry) }
        #expect(agenda.count == 2_000)
        #expect(agenda.next == expected.first?.moment)
        let middle = Moment(milliseconds: 100)
        while let next = agenda.removeNext(dueAt: middle) { found.append(next) }
        #expect(found.map(\.entry) == expected.filter { $0.moment <= middle }.map(\.entry))
        while let next = agenda.removeNext() { found.append(next) }
        #expect(found.map(\.entry) == expected.map(\.entry))
        #expect(found.map(\.moment) == expected.map(\.moment))
        #expect(agenda.next == nil)
        #expect(agenda.count == 0)
    }
}
