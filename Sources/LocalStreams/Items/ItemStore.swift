/// An item as it is stored: its key, and its attributes as JSON in canonical form.
struct Item: Hashable, Sendable {
    /// The most bytes that an item may have.
    static let sizeLimit = 400 * 1_024

    /// What identifies the item.
    let key: ItemKey
    /// All attributes, key attributes included.
    ///
    /// Two items are the same exactly when this is.
    let json: [UInt8]
    /// The bytes that count: names and values.
    let size: Int

    /// Reads an item as a request has it.
    /// - Throws: `ValidationException` where a key attribute is amiss or the item is too large.
    init(_ members: [JSON.Member], _ schema: KeySchema) throws(ServiceError) {
        let attributes = try AttributeValue.attributes(members, depth: 0)
        key = try ItemKey(attributes, schema)
        size = attributes.reduce(0) { $0 + $1.name.utf8.count + $1.value.size }
        guard size <= Self.sizeLimit else {
            throw .validation("Item size has exceeded the maximum allowed size")
        }
        json = AttributeValue.map(attributes).attributesJSON
    }
}

/// The items of a table in the order of a Scan.
///
/// Keys are spread by their hash over buckets that stay short, so that a write does not move the rest.
struct ItemStore: Sendable {
    private static let bucketBits = 12

    private var buckets: [[Item]] = Array(repeating: [], count: 1 << bucketBits)
    /// The number of items.
    private(set) var count = 0
    /// The bytes of all items.
    private(set) var size = 0

    /// An empty store.
    init() {}

    /// The item with a key.
    subscript(key: ItemKey) -> Item? {
        let bucket = buckets[Self.bucket(of: key)]
        let index = Self.index(of: key, in: bucket)
        return index < bucket.count && bucket[index].key == key ? bucket[index] : nil
    }

    /// Stores an item.
    /// - Returns: the item that it replaces.
    mutating func put(_ item: Item) -> Item? {
        let bucket = Self.bucket(of: item.key)
        let index = Self.index(of: item.key, in: buckets[bucket])
        size += item.size
        if index < buckets[bucket].count, buckets[bucket][index].key == item.key {
            let old = buckets[bucket][index]
            buckets[bucket][index] = item
            size -= old.size
            return old
        }
        buckets[bucket].insert(item, at: index)
        count += 1
        return nil
    }

    /// Removes the item with a key.
    /// - Returns: the item, or nil where there was none.
    mutating func remove(_ key: ItemKey) -> Item? {
        let bucket = Self.bucket(of: key)
        let index = Self.index(of: key, in: buckets[bucket])
        guard index < buckets[bucket].count, buckets[bucket][index].key == key else { return nil }
        let old = buckets[bucket].remove(at: index)
        count -= 1
        size -= old.size
        return old
    }

    /// Calls `body` for the items of one segment of a Scan, in order, until it returns false.
    /// - Parameters:
    ///   - start: the key after which to begin; nil begins at the first item.
    ///   - segment: which of the `segments` equal parts of all hashes.
    ///   - segments: how many parts there are.
    ///   - body: gets an item; returns whether to go on.
    func scan(
        after start: ItemKey?, segment: Int, of segments: Int, _ body: (Item) -> Bool
    ) {
        // Segments are runs of buckets; with more segments than buckets some are empty.
        let lower = buckets.count * segment / segments
        let upper = buckets.count * (segment + 1) / segments
        let first = max(lower, start.map(Self.bucket) ?? 0)
        guard first < upper else { return }
        for bucket in first..<upper {
            for item in buckets[bucket] {
                if let start, item.key <= start { continue }
                if !body(item) { return }
            }
        }
    }

    private static func bucket(of key: ItemKey) -> Int { Int(key.hash >> (64 - bucketBits)) }

    /// Where the key is in a sorted bucket, or where it would be.
    private static func index(of key: ItemKey, in bucket: [Item]) -> Int {
        var (lower, upper) = (0, bucket.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            if bucket[middle].key < key { lower = middle + 1 } else { upper = middle }
        }
        return lower
    }
}
