extension LocalStreams {
    /// A file of faults that cannot be used.
    package struct FaultsError: Error, CustomStringConvertible {
        /// Where in the file, what is wrong, and what is allowed there.
        package let description: String

        /// A mistake at a place such as `script[2].fault`.
        init(_ place: String, _ mistake: String) { description = "\(place): \(mistake)" }
    }
}

extension LocalStreams.Faults {
    /// The faults that ship with the emulator, by name.
    package static let presets: [String: LocalStreams.Faults] = [
        "none": .none, "rough": .rough, "storm": .storm,
    ]

    /// Reads faults from JSON, in the form that docs/localstreams.md describes.
    /// - Throws: `LocalStreams.FaultsError` for the first mistake.
    package init(json bytes: [UInt8]) throws(LocalStreams.FaultsError) {
        let json: JSON
        do { json = try JSONParser.parse(bytes) } catch {
            throw LocalStreams.FaultsError("the file", "not JSON, at byte \(error.offset)")
        }
        let top = try Members(
            json, at: "",
            allowed: ["chances", "operations", "lateShare", "trickleSeconds", "script"])
        self.init()
        operations = try top.operations("operations")
        lateShare = try top.number("lateShare", 0...1) ?? lateShare
        trickle = try top.seconds("trickleSeconds") ?? trickle
        if let value = top["chances"] {
            let names = LocalStreams.Fault.allCases.map(\.rawValue)
            let given = try Members(value, at: "chances", allowed: names)
            for fault in LocalStreams.Fault.allCases {
                chances[fault] = try given.number(fault.rawValue, 0...1)
            }
            guard chances.values.reduce(0, +) <= 1.000_001 else {
                throw LocalStreams.FaultsError("chances", "their sum is more than 1")
            }
        }
        guard let steps = top["script"] else { return }
        guard case .array(let values) = steps else {
            throw LocalStreams.FaultsError("script", "give a list of steps")
        }
        for (index, value) in values.enumerated() {
            script.append(try Step(value, at: "script[\(index)]"))
        }
    }
}

extension LocalStreams.Faults.Step {
    fileprivate init(_ json: JSON, at place: String) throws(LocalStreams.FaultsError) {
        let members = try Members(
            json, at: place,
            allowed: [
                "fault", "operations", "skip", "count", "fromSeconds", "forSeconds", "late",
            ])
        let names = LocalStreams.Fault.allCases.map(\.rawValue)
        guard case .string(let name)? = members["fault"],
            let fault = LocalStreams.Fault(rawValue: name.description)
        else {
            throw LocalStreams.FaultsError(
                "\(place).fault", "give one of \(names.joined(separator: ", "))")
        }
        self.init(
            fault, operations: try members.operations("operations"),
            skip: try members.number("skip", 0...1e9).map { Int($0) } ?? 0,
            count: try members.number("count", 1...1e9).map { Int($0) },
            from: try members.seconds("fromSeconds") ?? .zero,
            lasting: try members.seconds("forSeconds"), isLate: try members.bool("late") ?? false)
    }
}

/// The members of an object in a file of faults.
private struct Members {
    private let values: [Text: JSON]
    private let place: String

    /// The members of `json`, all of which have allowed names.
    init(_ json: JSON, at place: String, allowed: [String]) throws(LocalStreams.FaultsError) {
        self.place = place.isEmpty ? "" : "\(place)."
        guard case .object(let members) = json else {
            throw LocalStreams.FaultsError(place.isEmpty ? "the file" : place, "give an object")
        }
        for member in members where !allowed.contains(member.name.description) {
            throw LocalStreams.FaultsError(
                self.place + member.name.description,
                "unknown: use \(allowed.joined(separator: ", "))")
        }
        values = Dictionary(members.map { ($0.name, $0.value) }) { $1 }
    }

    subscript(name: String) -> JSON? { values[Text(name)] }

    func number(
        _ name: String, _ bounds: ClosedRange<Double>
    ) throws(LocalStreams.FaultsError) -> Double? {
        guard let value = self[name] else { return nil }
        guard case .number(let digits) = value, let number = Double(digits),
            bounds.contains(number)
        else {
            throw LocalStreams.FaultsError(
                place + name, "give a number from \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return number
    }

    func seconds(_ name: String) throws(LocalStreams.FaultsError) -> Duration? {
        try number(name, 0...1e6).map { .milliseconds(Int($0 * 1_000)) }
    }

    func bool(_ name: String) throws(LocalStreams.FaultsError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard case .bool(let isTrue) = value else {
            throw LocalStreams.FaultsError(place + name, "give true or false")
        }
        return isTrue
    }

    func operations(_ name: String) throws(LocalStreams.FaultsError) -> Set<String> {
        guard let value = self[name] else { return [] }
        let known = Operation.allCases.map(\.name)
        let refusal = LocalStreams.FaultsError(
            place + name, "give a list of \(known.joined(separator: ", "))")
        guard case .array(let values) = value else { throw refusal }
        var names: Set<String> = []
        for value in values {
            guard case .string(let text) = value, known.contains(text.description) else {
                throw refusal
            }
            names.insert(text.description)
        }
        return names
    }
}
