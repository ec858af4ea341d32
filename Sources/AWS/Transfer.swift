import CCurl
import FoundationEssentials

/// One request under way: a libcurl easy handle, its buffers and its callbacks.
///
/// Opens CCurl.
///
/// Used on the client's thread alone.
final class Transfer {
    /// The request, and who waits for its answer.
    let job: TransferJob
    /// libcurl's handle; it has to leave its multi handle before this object goes.
    let easy: UnsafeMutableRawPointer

    private var headerLines: UnsafeMutablePointer<curl_slist>?
    private let errorText: UnsafeMutablePointer<CChar>
    private var headers: [String: String] = [:]
    private var headerBytes = 0
    private var body: [UInt8] = []
    // Set by a callback that stops the transfer.
    private var refusal: HTTPError?

    /// Answers with more than this are not from a service that is meant to be asked.
    private static let headerBytesLimit = 64 << 10

    /// Prepares a transfer as far as it can be without a connection.
    ///
    /// - Throws: `.malformed` for a request that cannot be sent.
    init(_ job: TransferJob, _ configuration: HTTPClient.Configuration) throws(HTTPError) {
        try Self.check(job.request)
        guard let easy = curl_easy_init() else {
            throw HTTPError(.broken, "libcurl has no memory for a transfer")
        }
        self.job = job
        self.easy = easy
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try setConnection(configuration)
        try setLimits(.now)
        try setRequest(job.request)
        try setCallbacks()
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerLines)
        errorText.deallocate()
    }

    /// The transfer that a handle belongs to.
    static func of(_ easy: UnsafeMutableRawPointer?) -> Transfer? {
        var context: UnsafeMutableRawPointer?
        guard let easy,
            shardwalk_easy_getinfo_pointer(easy, CURLINFO_PRIVATE, &context) == CURLE_OK
        else { return nil }
        return context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
    }

    /// The outcome of a transfer that libcurl has ended with `code`.
    func result(_ code: CURLcode) -> Result<HTTPResponse, HTTPError> {
        if let refusal { return .failure(refusal) }
        guard code == CURLE_OK else { return .failure(failure(code)) }
        var status = 0
        shardwalk_easy_getinfo_long(easy, CURLINFO_RESPONSE_CODE, &status)
        return .success(HTTPResponse(status: status, headers: headers, body: body))
    }

    // MARK: - Options

    private func setConnection(_ configuration: HTTPClient.Configuration) throws(HTTPError) {
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        try set(CURLOPT_USERAGENT, configuration.userAgent)
        if let bundle = configuration.certificateBundle { try set(CURLOPT_CAINFO, bundle) }
        // The empty string switches the environment's proxy off as well.
        if job.request.bypassesProxy {
            try set(CURLOPT_PROXY, "")
        } else if let proxy = configuration.proxy {
            try set(CURLOPT_PROXY, proxy)
        }
    }

    private func setLimits(_ now: ContinuousClock.Instant) throws(HTTPError) {
        // Zero would mean libcurl's own limits, which are longer.
        try set(CURLOPT_TIMEOUT_MS, max(1, (job.deadline - now).milliseconds))
        try set(CURLOPT_CONNECTTIMEOUT_MS, max(1, job.request.connectTimeout.milliseconds))
    }

    private func setRequest(_ request: HTTPRequest) throws(HTTPError) {
        try set(CURLOPT_URL, request.url)
        if request.method == "GET" && request.body.isEmpty {
            try set(CURLOPT_HTTPGET, 1)
        } else {
            try set(CURLOPT_POST, 1)
            try set(CURLOPT_CUSTOMREQUEST, request.method)
            // The size comes first: with it, libcurl copies that many bytes.
            try check(
                shardwalk_easy_setopt_off_t(
                    easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
            var body = request.body
            let code = body.withUnsafeMutableBytes {
                shardwalk_easy_setopt_pointer(easy, CURLOPT_COPYPOSTFIELDS, $0.baseAddress)
            }
            try check(code)
        }
        // The host is given as it is signed: libcurl writes it as the address does, and through a kept
        // connection to a proxy it was seen to lose the brackets of an IPv6 address.
        // The others libcurl would add by itself unless they are blanked or given.
        var lines = ["Host: \(host)", "Expect:"]
        for (name, value) in [("Content-Type", ""), ("Accept-Encoding", " identity")]
        where !request.headers.contains(where: { $0.name.lowercased() == name.lowercased() }) {
            lines.append("\(name):\(value)")
        }
        // A header without a value is written with a semicolon.
        lines += request.headers.map {
            $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)"
        }
        for line in lines {
            guard let longer = curl_slist_append(headerLines, line) else {
                throw HTTPError(.broken, "libcurl has no memory for a header")
            }
            headerLines = longer
        }
        try check(shardwalk_easy_setopt_pointer(easy, CURLOPT_HTTPHEADER, headerLines))
    }

    private func setCallbacks() throws(HTTPError) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(shardwalk_easy_setopt_pointer(easy, CURLOPT_PRIVATE, context))
        try check(shardwalk_easy_setopt_pointer(easy, CURLOPT_ERRORBUFFER, errorText))
        try check(shardwalk_easy_setopt_pointer(easy, CURLOPT_HEADERDATA, context))
        try check(shardwalk_easy_setopt_pointer(easy, CURLOPT_WRITEDATA, context))
        try check(
            shardwalk_easy_setopt_callback(easy, CURLOPT_HEADERFUNCTION) {
                Transfer.deliver($0, $1 * $2, $3) { $0.receiveHeader($1) }
            })
        try check(
            shardwalk_easy_setopt_callback(easy, CURLOPT_WRITEFUNCTION) {
                Transfer.deliver($0, $1 * $2, $3) { $0.receiveBody($1) }
            })
    }

    private func set(_ option: CURLoption, _ value: Int) throws(HTTPError) {
        try check(shardwalk_easy_setopt_long(easy, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws(HTTPError) {
        try check(shardwalk_easy_setopt_string(easy, option, value))
    }

    private func check(_ code: CURLcode) throws(HTTPError) {
        if code != CURLE_OK { throw failure(code) }
    }

    // MARK: - Callbacks

    /// Hands bytes to the transfer behind `context`; returns their number if it takes them, else zero,
    /// which stops the transfer.
    private static func deliver(
        _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
        _ receive: (Transfer, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        guard let context else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        return receive(transfer, UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
    }

    private func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headerBytes += bytes.count
        guard headerBytes <= Self.headerBytesLimit else {
            return refuse("the headers", over: Self.headerBytesLimit)
        }
        guard !bytes.starts(with: "HTTP/".utf8) else {
            // An interim answer or a proxy's came before.
            headers = [:]
            return true
        }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return true }
        // In bytes, not in characters: every answer has half a dozen of these lines.
        let name = String(decoding: bytes[..<colon].map(\.lowercasedASCII), as: UTF8.self)
        let rest = bytes[(colon + 1)...]
        let begin = rest.firstIndex { !$0.isBlank } ?? rest.endIndex
        let end = rest.lastIndex { !$0.isBlank }.map { $0 + 1 } ?? begin
        let value = String(decoding: rest[begin..<end], as: UTF8.self)
        headers[name] = headers[name].map { "\($0), \(value)" } ?? value
        return true
    }

    private func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let limit = job.request.bodyLimit
        let announced = max(0, headers["content-length"].flatMap { Int($0) } ?? 0)
        guard max(announced, body.count + bytes.count) <= limit else {
            return refuse("the body", over: limit)
        }
        if body.isEmpty { body.reserveCapacity(announced) }
        body.append(contentsOf: bytes)
        return true
    }

    private func refuse(_ part: String, over limit: Int) -> Bool {
        refusal = HTTPError(
            .tooLarge, "\(part) of the answer from \(host) exceeds the limit of \(limit) bytes")
        return false
    }

    // MARK: - Failures

    private var host: String { CanonicalRequest.host(of: job.request.url) }

    private func failure(_ code: CURLcode) -> HTTPError {
        let own = String(cString: errorText)
        // libcurl quotes the address of a proxy that it can't use, and a password may be part of it.
        let isQuotable = !own.isEmpty && !own.lowercased().contains("proxy")
        let text = isQuotable ? own : String(cString: curl_easy_strerror(code))
        return HTTPError(Self.kind(of: code), "\(host): \(text)")
    }

    private static func kind(of code: CURLcode) -> HTTPError.Kind {
        switch code {
        case CURLE_URL_MALFORMAT: .malformed
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT,
            CURLE_PROXY:
            .unreachable
        case CURLE_OPERATION_TIMEDOUT: .timedOut
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CIPHER, CURLE_SSL_CERTPROBLEM, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_USE_SSL_FAILED:
            .tls
        default: .broken
        }
    }

    /// Refuses what libcurl would send in another shape than it was signed in, or not at all.
    private static func check(_ request: HTTPRequest) throws(HTTPError) {
        let address = URLComponents(string: request.url)
        guard let address, ["http", "https"].contains(address.scheme?.lowercased()),
            address.host?.isEmpty == false
        else {
            throw HTTPError(.malformed, "not an http or https address")
        }
        guard address.user == nil, address.password == nil else {
            throw HTTPError(
                .malformed, "the address of \(address.host ?? "") holds a user or password")
        }
        guard ["GET", "POST", "PUT"].contains(request.method) else {
            throw HTTPError(.malformed, "the method is not GET, POST or PUT")
        }
        for (name, value) in request.headers {
            let isName =
                !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }
            guard isName else { throw HTTPError(.malformed, "a header's name is malformed") }
            guard value.utf8.allSatisfy({ $0 != 0 && $0 != 0x0A && $0 != 0x0D }) else {
                throw HTTPError(.malformed, "the header \(name) holds a line break or a NUL")
            }
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int {
        Int(components.seconds) * 1_000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}

extension UInt8 {
    /// The small letter of a capital one, everything else as it is.
    fileprivate var lowercasedASCII: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }

    /// Whether this is a blank, or part of the end of a line.
    fileprivate var isBlank: Bool { self <= 0x20 }
}
