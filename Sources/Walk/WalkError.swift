/// A stream that can't be walked, or not any more.
package enum WalkError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The stream does not exist, or no more.
    case streamGone(String)
    /// The service does not take the stream's name.
    case refused(String)

    package var description: String {
        switch self {
        case .streamGone(let reason): "the stream is gone: \(reason)"
        case .refused(let reason): "the stream can't be read: \(reason)"
        }
    }
}
