/// From a page to what it does to the cache.
///
/// The default mapping: an item is one key, named by the template, and its value is the item after the
/// change in DynamoDB's JSON, as a JavaScript function would have written it that stores
/// `JSON.stringify(record.dynamodb.NewImage)` and deletes on REMOVE.
package struct Mapping: Hashable, Sendable {
    /// How keys are named.
    package let key: KeyTemplate

    /// The mapping that names keys by `key`.
    package init(key: KeyTemplate) { self.key = key }

    /// The last change that the page makes to each key.
    ///
    /// Where several records of the page lead to one key, only the last of them has to have a usable image.
    ///
    /// - Throws: `MappingFailure` for the first record that leads to no change.
    package func changes(in page: Page) throws(MappingFailure) -> ChangeSet {
        var owned: [UInt8] = []
        var changes: [ChangeSet.Change] = []
        try page.bytes.withUnsafeBufferPointer { bytes throws(MappingFailure) in
            var last = LastRecords(capacity: page.records.count)
            for (place, record) in page.records.enumerated() {
                let start = owned.count
                do throws(MappingFailure.Problem) {
                    try key.append(for: record.keys, of: bytes, to: &owned)
                } catch {
                    throw MappingFailure(error, page, record)
                }
                let isNew = last.note(place, for: ByteRange(start, owned.count), of: owned)
                if !isNew { owned.removeSubrange(start...) }
            }
            changes.reserveCapacity(last.entries.count)
            for (key, place) in last.entries {
                let record = page.records[place]
                do throws(MappingFailure.Problem) {
                    let value = try value(of: record, in: bytes, &owned)
                    changes.append(ChangeSet.Change(key: key, value: value))
                } catch {
                    throw MappingFailure(error, page, record)
                }
            }
        }
        return ChangeSet(changes: changes, page: page.bytes, owned: owned)
    }

    private func value(
        of record: Record, in bytes: UnsafeBufferPointer<UInt8>, _ owned: inout [UInt8]
    ) throws(MappingFailure.Problem) -> ChangeSet.Change.Value {
        if record.operation == .remove { return .removed }
        guard let image = record.newImage else { throw .missingNewImage }
        if record.isNewImageCanonical { return .page(image) }
        let start = owned.count
        do {
            try CanonicalJSON.append(image, of: bytes, to: &owned)
        } catch {
            throw .malformedImage(error)
        }
        return .owned(ByteRange(start, owned.count))
    }
}

/// A record that the mapping makes no change of.
package struct MappingFailure: Error, CustomStringConvertible {
    /// Why the record leads to no change; the content of the item is not part of it.
    package enum Problem: Error, Hashable {
        /// The template names an attribute that is not among the record's keys.
        case missingAttribute(String)
        /// The attribute is there, but not as a single value of type S, N or B.
        case unusableAttribute(String)
        /// The keys are not JSON in UTF-8.
        case malformedKeys(MalformedJSON)
        /// The item was written, but the record does not say what it is now.
        case missingNewImage
        /// The new image is not JSON in UTF-8.
        case malformedImage(MalformedJSON)
    }

    /// Why the record leads to no change.
    package let problem: Problem
    /// The digits of the record's sequence number.
    package let sequenceNumber: String

    fileprivate init(_ problem: Problem, _ page: Page, _ record: Record) {
        self.problem = problem
        let digits = page.bytes[record.sequenceNumber.indices]
        sequenceNumber = String(decoding: digits, as: UTF8.self)
    }

    package var description: String {
        let text =
            switch problem {
            case .missingAttribute(let name):
                "there is no {\(name)} among its keys: name the table's key attributes in the key template"
            case .unusableAttribute(let name):
                "its key attribute {\(name)} is not a string, a number or binary"
            case .malformedKeys(let error):
                "its keys cannot be read: \(error) of the page"
            case .missingNewImage:
                "it has no NewImage: the stream's view type has to be NEW_IMAGE or NEW_AND_OLD_IMAGES"
            case .malformedImage(let error):
                "its NewImage cannot be read: \(error) of the page"
            }
        return "record \(sequenceNumber): \(text)"
    }
}
