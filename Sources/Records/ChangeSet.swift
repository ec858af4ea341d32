/// What a page does to the cache: the last change of each key.
///
/// Keys and rewritten values lie in one buffer, values that go to the cache as they came stay in the
/// page's bytes; nothing is copied twice.
package struct ChangeSet: Sendable {
    /// What becomes of one key of the cache.
    package struct Change: Hashable, Sendable {
        /// Where the value of a key is.
        package enum Value: Hashable, Sendable {
            /// The key has no value any more: it is removed.
            case removed
            /// The value is part of the page.
            case page(ByteRange)
            /// The value was rewritten into the set's own bytes.
            case owned(ByteRange)
        }

        /// The key, in the set's own bytes.
        package let key: ByteRange
        /// The value, or that it is removed.
        package let value: Value

        /// A change whose parts lie at the given places.
        package init(key: ByteRange, value: Value) {
            self.key = key
            self.value = value
        }
    }

    /// One change per key, in no promised order: no two of them touch the same key.
    package let changes: [Change]
    private let page: [UInt8]
    private let owned: [UInt8]

    /// The changes of a page, with the buffers that their ranges point into.
    package init(changes: [Change], page: [UInt8], owned: [UInt8]) {
        self.changes = changes
        self.page = page
        self.owned = owned
    }

    /// The number of keys that change.
    package var count: Int { changes.count }

    /// The changes in `range` that remove a key.
    package func removals(in range: Range<Int>) -> ChangeSet {
        ChangeSet(
            changes: changes[range].filter { $0.value == .removed }, page: page, owned: owned)
    }

    /// Calls `body` for the changes in `range`, one after the other.
    ///
    /// `body` gets the key's bytes and the value's, nil where the key is removed. The pointers are good
    /// until it returns.
    package func forEach(
        in range: Range<Int>,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> Void
    ) {
        page.withUnsafeBytes { page in
            owned.withUnsafeBytes { owned in
                for change in changes[range] {
                    let key = UnsafeRawBufferPointer(rebasing: owned[change.key.indices])
                    switch change.value {
                    case .removed: body(key, nil)
                    case .page(let range):
                        body(key, UnsafeRawBufferPointer(rebasing: page[range.indices]))
                    case .owned(let range):
                        body(key, UnsafeRawBufferPointer(rebasing: owned[range.indices]))
                    }
                }
            }
        }
    }
}
