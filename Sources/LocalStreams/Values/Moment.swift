/// A time of the emulated service, in milliseconds since 1970.
struct Moment: Hashable, Comparable, Sendable {
    /// Milliseconds since 1970.
    var milliseconds: Int

    /// A time `milliseconds` after the start of 1970.
    init(milliseconds: Int) { self.milliseconds = milliseconds }

    static func < (left: Moment, right: Moment) -> Bool { left.milliseconds < right.milliseconds }

    static func + (moment: Moment, milliseconds: Int) -> Moment {
        Moment(milliseconds: moment.milliseconds + milliseconds)
    }

    static func - (left: Moment, right: Moment) -> Int { left.milliseconds - right.milliseconds }

    /// Whole seconds since 1970, rounded down.
    var seconds: Int { milliseconds / 1_000 }

    /// Seconds since 1970 with three decimals.
    var secondsText: String { "\(seconds).\(Self.padded(milliseconds % 1_000, 3))" }

    /// `secondsText`, or for one moment in four the same number with an exponent, as both are seen on AWS.
    var creationText: String {
        milliseconds.isMultiple(of: 4) ? Self.withExponent(secondsText) : secondsText
    }

    /// A positive number of plain digits in the form of AWS's own examples, `1.46480643E9`.
    static func withExponent(_ digits: String) -> String {
        let parts = digits.split(separator: ".")
        precondition((1...2).contains(parts.count), "digits, and a fraction at the most")
        var fraction = parts[0].dropFirst() + (parts.count == 2 ? parts[1] : "")
        while fraction.last == "0" { fraction.removeLast() }
        let rest = fraction.isEmpty ? "0" : String(fraction)
        return "\(digits.prefix(1)).\(rest)E\(parts[0].utf8.count - 1)"
    }

    /// The time in UTC as a stream's label has it, `2015-05-11T21:21:33.291`.
    var label: String {
        let (year, month, day) = Self.date(daysSince1970: seconds / 86_400)
        return "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))T"
            + "\(clockText).\(Self.padded(milliseconds % 1_000, 3))"
    }

    /// The time in UTC as HTTP's `Date` header has it, `Mon, 11 May 2015 21:21:33 GMT`.
    var headerText: String {
        let (year, month, day) = Self.date(daysSince1970: seconds / 86_400)
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        // The first day of 1970 was a Thursday.
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        return "\(days[seconds / 86_400 % 7]), \(Self.padded(day, 2)) \(months[month - 1]) \(year) "
            + "\(clockText) GMT"
    }

    private var clockText: String {
        [seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60]
            .map { Self.padded($0, 2) }.joined(separator: ":")
    }

    /// A number with at least `width` digits.
    static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// Year, month and day of the Gregorian calendar.
    ///
    /// Counts from the first of March of the year 0, so that the leap day is the last of its year.
    private static func date(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
        let days = daysSince1970 + 719_468
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Duration {
    /// The whole milliseconds of the duration.
    var milliseconds: Int {
        Int(components.seconds) * 1_000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
