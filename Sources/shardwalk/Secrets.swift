import Glibc
import Walk

/// `${NAME}` in a text stands for the environment variable of that name.
enum Placeholders {
    /// A placeholder that can't be filled.
    enum Failure: Error, Equatable, CustomStringConvertible {
        /// A `${` without its `}`.
        case open
        /// A variable that is not set, or is empty.
        case missing(String)

        var description: String {
            switch self {
            case .open: "has a ${ without its }"
            case .missing(let name):
                "asks for the environment variable \(name), which is not set"
            }
        }
    }

    /// Puts the variables into an address, encoded so that no character of theirs can end a part of it.
    static func expand(
        _ text: String, _ environment: [String: String]
    ) throws(Failure) -> String {
        var result = ""
        var rest = text[...]
        while let opening = rest.firstRange(of: "${") {
            guard let closing = rest[opening.upperBound...].firstIndex(of: "}") else { throw .open }
            let name = String(rest[opening.upperBound..<closing])
            guard let value = environment[name], !value.isEmpty else { throw .missing(name) }
            result += rest[..<opening.lowerBound] + percentEncoded(value)
            rest = rest[rest.index(after: closing)...]
        }
        return result + rest
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.map { byte in
            if byte.isLetterOrDigit { return String(UnicodeScalar(byte)) }
            return (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
        }.joined()
    }
}

/// Files that somebody else puts there for the program to read.
enum MountedFile {
    /// The bytes of a file of at most `limit` of them; nil when there is none.
    ///
    /// Links are followed: Kubernetes mounts configuration and secrets as links, to change them in one step.
    static func read(_ path: String, limit: Int) throws(FileError) -> [UInt8]? {
        guard let target = realpath(path, nil) else {
            if errno == ENOENT { return nil }
            throw FileError(.openRead, path, errno: errno)
        }
        defer { free(target) }
        return try SystemFiles().read(String(cString: target), limit: limit)
    }
}

/// A file that holds a password and nothing else.
enum PasswordFile {
    /// A file that holds no password; what it does hold is never shown.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let sizeMaximum = 64 << 10

    /// The password in the file at `path`, without the newline that editors put behind it; `key` is where the
    /// configuration names the file.
    static func read(_ path: String, key: String) throws -> String {
        guard let bytes = try MountedFile.read(path, limit: sizeMaximum) else {
            throw Failure(description: "\(key): there is no file \(path)")
        }
        var text = String(decoding: bytes, as: UTF8.self)
        if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
        guard !text.isEmpty, !text.utf8.contains(10), !text.utf8.contains(13),
            !text.utf8.contains(0)
        else {
            throw Failure(description: "\(key): \(path) is not one line of text")
        }
        return text
    }
}
