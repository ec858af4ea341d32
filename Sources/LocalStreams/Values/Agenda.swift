/// What is to be done at which moment, the earliest first; at one moment, in the order in which it was noted.
///
/// A binary heap: noting and taking out cost the logarithm of the length.
struct Agenda<Entry: Sendable>: Sendable {
    private struct Slot {
        let moment: Moment
        let serial: Int
        let entry: Entry

        func comesBefore(_ other: Slot) -> Bool {
            (moment, serial) < (other.moment, other.serial)
        }
    }

    private var slots: [Slot] = []
    private var noted = 0

    /// Nothing to do.
    init() {}

    /// How many entries there are.
    var count: Int { slots.count }

    /// When the earliest entry is due.
    var next: Moment? { slots.first?.moment }

    /// Notes what is to be done at a moment.
    mutating func note(_ entry: Entry, at moment: Moment) {
        slots.append(Slot(moment: moment, serial: noted, entry: entry))
        noted += 1
        var index = slots.count - 1
        while index > 0, slots[index].comesBefore(slots[(index - 1) / 2]) {
            slots.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Takes out the earliest entry.
    mutating func removeNext() -> (moment: Moment, entry: Entry)? {
        guard let first = slots.first, let last = slots.popLast() else { return nil }
        if !slots.isEmpty {
            slots[0] = last
            sink()
        }
        return (first.moment, first.entry)
    }

    /// Takes out the earliest entry if it is due at `moment`.
    mutating func removeNext(dueAt moment: Moment) -> (moment: Moment, entry: Entry)? {
        guard let next, next <= moment else { return nil }
        return removeNext()
    }

    /// Moves the first slot down to its place.
    private mutating func sink() {
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < slots.count && slots[child].comesBefore(slots[least]) { least = child }
            guard least != index else { return }
            slots.swapAt(index, least)
            index = least
        }
    }
}
