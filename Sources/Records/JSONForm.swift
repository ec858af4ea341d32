/// What a walk over a value tells about the form of the text, on the way.
///
/// Two conform, so that one loop serves both at full speed: `AnyForm`, to whom the form is the same,
/// and `CanonicalForm`, which finds out whether JavaScript would have written the text just so.
protocol JSONForm {
    /// Whether bytes that are not UTF-8 matter.
    static var wantsUTF8: Bool { get }
    /// The text is not in the canonical form.
    mutating func isSpoilt()
    /// An object begins.
    mutating func enterObject()
    /// The innermost object has a member whose name is at `range`, escapes not decoded.
    mutating func meets(_ range: ByteRange, in bytes: UnsafeBufferPointer<UInt8>)
    /// The innermost object ends.
    mutating func leaveObject()
}

/// Lets every form pass.
struct AnyForm: JSONForm {
    static let wantsUTF8 = false
    @inline(__always) mutating func isSpoilt() {}
    @inline(__always) mutating func enterObject() {}
    @inline(__always) mutating func meets(
        _ range: ByteRange, in bytes: UnsafeBufferPointer<UInt8>
    ) {}
    @inline(__always) mutating func leaveObject() {}
}

/// Recognises text that is what `JSON.stringify(JSON.parse(text))` would give.
///
/// It may miss some (numbers with a fraction, names of digits alone, objects of very many members),
/// which then are written anew and come out the same. It never takes one for canonical that is not.
struct CanonicalForm: JSONForm {
    static let wantsUTF8 = true

    /// Whether all that was met so far is canonical.
    private(set) var isCanonical = true

    // For each object around this place: where the list of the object around it began, then one
    // fingerprint per name met so far. Not kept on once the text is spoilt.
    private static let listLimit = 256
    private var list = InlineArray<256, UInt64>(repeating: 0)
    private var listStart = 0
    private var listEnd = 0

    /// Begins anew, for another value.
    @inline(__always) mutating func reset() {
        isCanonical = true
        listStart = 0
        listEnd = 0
    }

    @inline(__always) mutating func isSpoilt() { isCanonical = false }

    @inline(__always) mutating func enterObject() {
        append(UInt64(truncatingIfNeeded: listStart))
        listStart = listEnd
    }

    @inline(__always) mutating func meets(
        _ range: ByteRange, in bytes: UnsafeBufferPointer<UInt8>
    ) {
        guard isCanonical else { return }
        // JavaScript moves array indices to the front; whether they are there already is not worth knowing.
        if range.count > 0, bytes[range.start] &- UInt8(ascii: "0") < 10, bytes.areDigits(range) {
            return isSpoilt()
        }
        let name = bytes.fingerprint(of: range)
        var place = listStart
        while place < listEnd {
            if list[unchecked: place] == name { return isSpoilt() }
            place &+= 1
        }
        append(name)
    }

    @inline(__always) mutating func leaveObject() {
        guard isCanonical else { return }
        listEnd = listStart &- 1
        listStart = Int(truncatingIfNeeded: list[listEnd])
    }

    @inline(__always) private mutating func append(_ entry: UInt64) {
        guard isCanonical, listEnd < Self.listLimit else { return isSpoilt() }
        list[unchecked: listEnd] = entry
        listEnd &+= 1
    }
}
