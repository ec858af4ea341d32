/// When the items of a table are deleted by themselves.
struct Expirations: Sendable {
    /// Items that expired longer ago than this are kept, in seconds.
    ///
    /// Source: DynamoDB Developer Guide, "Time to Live": five years.
    private static let ageMax = 5 * 365 * 86_400

    /// The attribute that holds the second since 1970 at which an item expires.
    let attribute: Text
    /// The items by their time; some may have been changed since.
    private var due = Agenda<ItemKey>()

    /// No items yet.
    init(attribute: Text) { self.attribute = attribute }

    /// Notes when an item expires that is stored at a moment, where it does.
    mutating func note(_ item: Item, at moment: Moment) {
        guard let seconds = seconds(of: item), seconds > moment.seconds - Self.ageMax else {
            return
        }
        due.note(item.key, at: max(moment, Moment(milliseconds: seconds * 1_000)))
    }

    /// When the next item is due, whether or not it has been changed since.
    var next: Moment? { due.next }

    /// Takes out the next item.
    mutating func removeNext() -> ItemKey? { due.removeNext()?.entry }

    /// Drops what was noted of items that have been changed since: no more is kept than there are items,
    /// or twice as much for a while.
    mutating func tidy(_ items: ItemStore) {
        guard due.count > 2 * items.count + 1_000 else { return }
        var (kept, seen) = (Agenda<ItemKey>(), Set<ItemKey>())
        // The earliest of those that are still true counts.
        while let (moment, key) = due.removeNext() {
            guard let item = items[key], hasExpired(item, at: moment), seen.insert(key).inserted
            else { continue }
            kept.note(key, at: moment)
        }
        due = kept
    }

    /// Whether an item's time is over at a moment.
    func hasExpired(_ item: Item, at moment: Moment) -> Bool {
        seconds(of: item).map { $0 <= moment.seconds } ?? false
    }

    private func seconds(of item: Item) -> Int? {
        guard case .object(let members)? = try? JSONParser.parse(item.json),
            case .object(let value)? = members.first(where: { $0.name == attribute })?.value,
            case .string(let digits)? = value.first(where: { $0.name == "N" })?.value
        else { return nil }
        // Not beyond the year 9999: milliseconds since 1970 fit in any case.
        return Int(digits.description).flatMap { (0...253_402_300_799).contains($0) ? $0 : nil }
    }
}
