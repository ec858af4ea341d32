import AWS

/// Finds whole requests in the bytes of a connection.
///
/// HTTP/1.1 with `Content-Length`, as the SDKs send it.
struct RequestParser {
    /// What comes next on a connection.
    enum Step {
        /// More bytes are needed.
        case incomplete
        /// The head is complete, and the client waits to be told to go on with the body.
        case awaitsContinue
        /// A request, and whether the connection stays open after it.
        case request(HTTPRequest, keepsAlive: Bool)
        /// What came is not a request that is served here: answer with this status, and close.
        case refused(status: Int)
    }

    /// The most bytes of a request's head.
    static let headMax = 65_536
    /// The most bytes of a request's body: as much as the largest BatchWriteItem.
    static let bodyMax = 17 * 1_048_576

    private struct Head {
        let method: String
        let target: String
        let headers: [(name: String, value: String)]
        let bodyCount: Int
        let keepsAlive: Bool

        func value(_ name: String) -> String? {
            headers.first { $0.name == name }?.value
        }
    }

    private var buffer: [UInt8] = []
    /// How much of the buffer is known not to hold the end of the head.
    private var searched = 0
    private var head: Head?

    /// A parser for a new connection.
    init() {}

    /// Takes more bytes.
    mutating func append(_ bytes: some Sequence<UInt8>) { buffer.append(contentsOf: bytes) }

    /// What the bytes so far amount to.
    ///
    /// A request is given out once.
    mutating func next() -> Step {
        if head == nil {
            guard let end = headEnd() else {
                return buffer.count > Self.headMax ? .refused(status: 431) : .incomplete
            }
            let text = String(decoding: buffer[..<end], as: UTF8.self)
            buffer.removeFirst(end + 4)
            searched = 0
            switch Self.head(text) {
            case .success(let head): self.head = head
            case .failure(let refusal): return .refused(status: refusal.status)
            }
            if buffer.isEmpty, head?.value("expect")?.lowercased() == "100-continue" {
                return .awaitsContinue
            }
        }
        guard let head, buffer.count >= head.bodyCount else { return .incomplete }
        let request = HTTPRequest(
            method: head.method, url: "http://\(head.value("host") ?? "")\(head.target)",
            headers: head.headers, body: Array(buffer[..<head.bodyCount]))
        buffer.removeFirst(head.bodyCount)
        self.head = nil
        return .request(request, keepsAlive: head.keepsAlive)
    }

    private mutating func headEnd() -> Int? {
        var index = searched
        while index + 4 <= buffer.count {
            if buffer[index] == 0x0D, buffer[index + 1] == 0x0A, buffer[index + 2] == 0x0D,
                buffer[index + 3] == 0x0A
            {
                return index
            }
            index += 1
        }
        searched = index
        return nil
    }

    private struct Refusal: Error {
        let status: Int
    }

    private static func head(_ text: String) -> Result<Head, Refusal> {
        // A line break is one character in Swift: "\r\n" is what separates the lines.
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        let words = lines[0].split(separator: " ")
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else {
            return .failure(Refusal(status: 400))
        }
        var headers: [(name: String, value: String)] = []
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else {
                return .failure(Refusal(status: 400))
            }
            let value = line[line.index(after: colon)...]
                .drop { $0 == " " || $0 == "\t" }
            let end = value.lastIndex { $0 != " " && $0 != "\t" }
            headers.append(
                (line[..<colon].lowercased(), end.map { String(value[...$0]) } ?? ""))
        }
        func value(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        guard value("transfer-encoding") == nil else { return .failure(Refusal(status: 411)) }
        guard let count = Int(value("content-length") ?? "0"), count >= 0 else {
            return .failure(Refusal(status: 400))
        }
        guard count <= bodyMax else { return .failure(Refusal(status: 413)) }
        let connection = value("connection")?.lowercased()
        let keepsAlive =
            words[2] == "HTTP/1.0" ? connection == "keep-alive" : connection != "close"
        return .success(
            Head(
                method: String(words[0]), target: String(words[1]), headers: headers,
                bodyCount: count, keepsAlive: keepsAlive))
    }
}
