/// The last record of each key, found by a hash table over the keys' bytes.
///
/// Keys are chosen by whoever writes to the table, so they are hashed with `Hasher`, whose seed nobody
/// outside of the process knows. Slots are probed one after the other and never more than half full.
struct LastRecords {
    /// Each key, in the order in which they came up, and the place of its last record.
    private(set) var entries: [(key: ByteRange, record: Int)] = []
    private var hashes: [Int] = []
    // One more than a place in `entries`, or 0.
    private var slots: [Int32]

    /// Room for `capacity` keys, which is not to be exceeded.
    init(capacity: Int) {
        precondition(capacity < Int(Int32.max))
        var count = 8
        while count < capacity * 2 { count *= 2 }
        slots = Array(repeating: 0, count: count)
        entries.reserveCapacity(capacity)
        hashes.reserveCapacity(capacity)
    }

    /// Notes that the key at `key` in `bytes` was changed by the record at `record`; false if it was known.
    ///
    /// The bytes of keys that were not known have to stay where they are.
    mutating func note(_ record: Int, for key: ByteRange, of bytes: [UInt8]) -> Bool {
        let hash = bytes.withUnsafeBytes { bytes in
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[key.indices]))
            return hasher.finalize()
        }
        var slot = hash & (slots.count - 1)
        while slots[slot] != 0 {
            let entry = Int(slots[slot]) - 1
            if hashes[entry] == hash,
                bytes[entries[entry].key.indices] == bytes[key.indices]
            {
                entries[entry].record = record
                return false
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        precondition(entries.count < slots.count / 2)
        entries.append((key, record))
        hashes.append(hash)
        slots[slot] = Int32(entries.count)
        return true
    }
}
