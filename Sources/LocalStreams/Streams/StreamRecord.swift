/// What a write did to an item.
enum Change: Sendable {
    /// There was none with this key.
    case insert(Item)
    /// The item has other attributes than before.
    case modify(old: Item, new: Item)
    /// The item is gone.
    case remove(Item)

    /// The change from `old` to `new`, or nil where there is none: such a write leaves no record.
    init?(from old: Item?, to new: Item?) {
        switch (old, new) {
        case (nil, let new?): self = .insert(new)
        case (let old?, nil): self = .remove(old)
        case (let old?, let new?) where old.json != new.json: self = .modify(old: old, new: new)
        default: return nil
        }
    }

    /// The key of the item.
    var key: ItemKey {
        switch self {
        case .insert(let item), .modify(_, let item), .remove(let item): item.key
        }
    }

    /// The service's name of the change.
    var eventName: String {
        switch self {
        case .insert: "INSERT"
        case .modify: "MODIFY"
        case .remove: "REMOVE"
        }
    }

    /// The item after the change.
    var newImage: Item? {
        switch self {
        case .insert(let item), .modify(_, let item): item
        case .remove: nil
        }
    }

    /// The item before the change.
    var oldImage: Item? {
        switch self {
        case .modify(let item, _), .remove(let item): item
        case .insert: nil
        }
    }
}

/// What a stream's records carry beside the keys.
enum ViewType: String, CaseIterable, Sendable {
    /// Nothing but the keys.
    case keysOnly = "KEYS_ONLY"
    /// The item after the change.
    case newImage = "NEW_IMAGE"
    /// The item before the change.
    case oldImage = "OLD_IMAGE"
    /// The item before and after the change.
    case newAndOldImages = "NEW_AND_OLD_IMAGES"
}

/// A record of a shard, ready to be sent.
struct StreamRecord: Sendable {
    /// The record's place.
    let sequenceNumber: SequenceNumber
    /// When the change was made.
    let created: Moment
    /// When the record can be read, not before those that precede it.
    let readable: Moment
    /// The bytes that count towards a page's limit.
    let size: Int
    /// The empty pages that a reader gets between the record before and this one.
    let emptyPages: Int
    /// The record as GetRecords writes it.
    let json: [UInt8]

    /// The record of a change, which can be read from `readable` on.
    init(
        _ change: Change, _ sequenceNumber: SequenceNumber, at moment: Moment, _ view: ViewType,
        region: String, userIdentity: JSON?, readable: Moment, emptyPages: Int,
        using generator: inout SeededGenerator
    ) {
        let hasNew = view == .newImage || view == .newAndOldImages
        let hasOld = view == .oldImage || view == .newAndOldImages
        let newImage = hasNew ? change.newImage : nil
        let oldImage = hasOld ? change.oldImage : nil
        self.sequenceNumber = sequenceNumber
        created = moment
        self.readable = readable
        self.emptyPages = emptyPages
        size = change.key.size + (newImage?.size ?? 0) + (oldImage?.size ?? 0)
        let body = JSON.members([
            "ApproximateCreationDateTime": .number(Self.time(moment, using: &generator)),
            "Keys": .rendered(change.key.json),
            "NewImage": newImage.map { .rendered($0.json) },
            "OldImage": oldImage.map { .rendered($0.json) },
            "SequenceNumber": .text(sequenceNumber.digits),
            "SizeBytes": .integer(size),
            "StreamViewType": .text(view.rawValue),
        ])
        json =
            JSON.members([
                "eventID": .text(generator.text(32, of: "0123456789abcdef")),
                "eventName": .text(change.eventName),
                "eventVersion": .text("1.1"),
                "eventSource": .text("aws:dynamodb"),
                "awsRegion": .text(region),
                "userIdentity": userIdentity,
                "dynamodb": body,
            ]).bytes
    }

    /// Whole seconds in one of the three forms that the service has been seen to write.
    private static func time(
        _ moment: Moment, using generator: inout SeededGenerator
    ) -> String {
        let digits = String(moment.seconds)
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: return Moment.withExponent(digits)
        case 1: return "\(digits).0"
        default: return digits
        }
    }
}
