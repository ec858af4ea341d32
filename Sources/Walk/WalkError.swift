/// A stream that can't be walked, or not any more.
package enum WalkError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The stream does not exist, or no more.
    case streamGone(String)
    /// The service does not take the stream's name.
    case refused(String)
    /// Somebody else applies the stream under this name.
    case foreign(String)
    /// The cache was emptied, and the policy is to stop then.
    case cacheLost

    package var description: String {
        switch self {
        case .streamGone(let reason): "the stream is gone: \(reason)"
        case .refused(let reason): "the stream can't be read: \(reason)"
        case .foreign(let reason): reason
        case .cacheLost:
            "the cache holds no positions any more, although they were written there: it was emptied"
        }
    }
}
