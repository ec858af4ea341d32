// UpdateTimeToLive and DescribeTimeToLive, and what comes of them.

extension Service {
    /// Switches the deletion of expired items on or off.
    mutating func updateTimeToLive(_ input: Input) throws(ServiceError) -> JSON {
        let table = try existingTable(input)
        let specification = try input.structure("TimeToLiveSpecification")
        let isOn = try specification?.bool("Enabled")
        let attribute = try specification?.string("AttributeName")
        var constraints = Constraints()
        constraints.require(specification?["Enabled"], "timeToLiveSpecification.enabled")
        constraints.require(attribute, "timeToLiveSpecification.attributeName")
        constraints.length(attribute, "timeToLiveSpecification.attributeName", 1...255)
        try constraints.check()
        guard let isOn, let attribute else {
            preconditionFailure("the constraints were checked")
        }
        guard isOn != (table.expirations != nil) else {
            throw .validation("TimeToLive is already \(isOn ? "enabled" : "disabled")")
        }
        if isOn {
            var expirations = Expirations(attribute: Text(attribute))
            table.items.scan(after: nil, segment: 0, of: 1) { item in
                expirations.note(item, at: now)
                return true
            }
            tables[table.name]?.expirations = expirations
        } else {
            guard table.expirations?.attribute == Text(attribute) else {
                throw .validation(
                    "TimeToLive is active on a different AttributeName: current AttributeName is "
                        + "\(table.expirations?.attribute.description ?? "")")
            }
            tables[table.name]?.expirations = nil
        }
        return .members([
            "TimeToLiveSpecification": .members([
                "Enabled": .bool(isOn), "AttributeName": .text(attribute),
            ])
        ])
    }

    /// Shows whether expired items of a table are deleted.
    func describeTimeToLive(_ input: Input) throws(ServiceError) -> JSON {
        let expirations = try existingTable(input).expirations
        return .members([
            "TimeToLiveDescription": .members([
                "TimeToLiveStatus": .text(expirations == nil ? "DISABLED" : "ENABLED"),
                "AttributeName": expirations.map { .string($0.attribute) },
            ])
        ])
    }

    /// Deletes the items that expire until a moment, each at its own time.
    ///
    /// AWS takes its time, up to some days; here they go at once. An item whose time was changed since it was
    /// noted stays.
    mutating func expireItems(until moment: Moment) {
        while let (due, name) = nextExpiration(), due <= moment {
            guard let key = tables[name]?.expirations?.removeNext(),
                let item = tables[name]?.items[key],
                tables[name]?.expirations?.hasExpired(item, at: due) == true
            else { continue }
            if let stream = tables[name]?.stream { streams[stream]?.advance(to: due) }
            _ = write(key, nil, to: name, at: due, userIdentity: expirationIdentity())
        }
    }

    private func nextExpiration() -> (Moment, String)? {
        tables.values.lazy
            .compactMap { table in table.expirations?.next.map { ($0, table.name) } }
            .min { $0 < $1 }
    }

    /// Who deletes expired items, with the names as the model or as the Developer Guide writes them.
    private mutating func expirationIdentity() -> JSON {
        let isCapital =
            switch settings.identityCasing {
            case .capital: true
            case .small: false
            case .either: Bool.random(using: &generator)
            }
        let principal = JSON.text("dynamodb.amazonaws.com")
        return isCapital
            ? .members(["PrincipalId": principal, "Type": .text("Service")])
            : .members(["principalId": principal, "type": .text("Service")])
    }
}
