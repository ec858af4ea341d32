import Foundation

/// A folder of a test's own, removed with this object.
package final class TemporaryDirectory: Sendable {
    /// The folder's path, without a slash at its end.
    package let path: String

    /// Makes an empty folder.
    ///
    /// Its path is short enough for the name of a socket in it.
    package init() throws {
        let name = UUID().uuidString.prefix(13)
        path = FileManager.default.temporaryDirectory.appending(path: "shardwalk-\(name)")
            .path(percentEncoded: false)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in the folder.
    package func path(_ name: String) -> String { "\(path)/\(name)" }
}
