import Records
package import Walk

/// A refusal by the server: its first word is a code, the rest is prose.
package struct ReplyError: Hashable, Sendable, CustomStringConvertible {
    /// The first word, such as `READONLY`, or `ERR` where the server has no code.
    package let code: String
    /// The server's words without the code; arguments that it quotes are cut off.
    package let text: String

    /// What a refusal means for the batch and for the connection that it came over.
    package struct Verdict: Hashable, Sendable {
        /// What it means for the batch.
        package let kind: SinkError.Kind
        /// Whether to connect anew, resolving the name again, before the next attempt.
        package let endsConnection: Bool
        /// What is the matter and what can be done, in words; empty where the server's own words say it.
        package let advice: String
    }

    /// The longest word that is taken for a code, in bytes; Redis' own have 15 at the most.
    private static let codeMax = 40
    /// Longer prose is cut, in bytes: it ends up in a log line.
    private static let textMax = 300

    /// A refusal as it came, without the leading `-`.
    ///
    /// Servers quote the arguments of a command that they do not know, and those can be values.
    package init(_ line: String) {
        var line =
            line.firstRange(of: ", with args beginning with").map { line[..<$0.lowerBound] }
            ?? line[...]
        // A transaction that was dropped names the cause behind its own code.
        if line.hasPrefix("EXECABORT "), let cause = line.firstRange(of: "because of: ") {
            line = line[cause.upperBound...]
        }
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        let word = parts.first ?? ""
        let isCode =
            (1...Self.codeMax).contains(word.utf8.count)
            && word.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        code = isCode ? String(word) : "ERR"
        let prose = isCode ? (parts.count > 1 ? parts[1] : "") : line
        text = prose.line(bytesMax: Self.textMax)
    }

    package var description: String { text.isEmpty ? code : "\(code) \(text)" }

    /// What the refusal means: the one table for it.
    ///
    /// Source of the codes: Redis 7 and Valkey 8, `src/server.c` and `src/networking.c`.
    package var verdict: Verdict {
        switch code {
        case "LOADING":
            wait("the server is still reading its data from disk")
        case "OOM":
            Verdict(
                kind: .full, endsConnection: false,
                advice:
                    "its memory is full: raise maxmemory, or choose a maxmemory-policy that evicts")
        case "BUSY":
            wait("a script keeps the server busy")
        case "MISCONF":
            wait("it cannot persist its data: look at its disk and its log")
        case "NOREPLICAS":
            wait("too few of its replicas are in step (min-replicas-to-write)")
        case "CLUSTERDOWN", "TRYAGAIN":
            wait("its cluster is not ready")
        case "READONLY":
            reconnect("it is a read-only replica; the primary is looked up again")
        case "MASTERDOWN":
            reconnect("it is a replica that lost its primary; the primary is looked up again")
        case "MOVED", "ASK", "REDIRECT", "CROSSSLOT":
            Verdict(kind: .denied, endsConnection: true, advice: Self.clusterAdvice)
        case "NOAUTH":
            Verdict(
                kind: .denied, endsConnection: true,
                advice: "it wants a login: set user and password in the address")
        case "WRONGPASS":
            Verdict(
                kind: .denied, endsConnection: true,
                advice: "check user and password; they are read again at each login")
        case "DENIED":
            Verdict(
                kind: .denied, endsConnection: true,
                advice: "its protected mode lets nobody in from outside: set a password there")
        case "NOPERM":
            Verdict(
                kind: .denied, endsConnection: false,
                advice:
                    "the user may not use this command or key (ACL SETUSER); docs/operations.md lists what it needs"
            )
        case "ERR" where text.hasPrefix("max number of clients"):
            reconnect("it has no room for another client (maxclients)")
        case "ERR" where text.hasPrefix("Protocol error"):
            Verdict(kind: .refused, endsConnection: true, advice: "")
        default:
            Verdict(kind: .refused, endsConnection: false, advice: "")
        }
    }

    /// What is said where a server turns out to be part of a cluster.
    static let clusterAdvice =
        "it runs in cluster mode, which is not supported yet: give the address of a server without it"

    private func wait(_ advice: String) -> Verdict {
        Verdict(kind: .unavailable, endsConnection: false, advice: advice)
    }

    private func reconnect(_ advice: String) -> Verdict {
        Verdict(kind: .unavailable, endsConnection: true, advice: advice)
    }

    /// The failure of a batch that holds a refused command; `command` is its name.
    ///
    /// Where the login is refused, `loginAdvice` says what can be done, if it is given.
    package func sinkError(for command: String, loginAdvice: String? = nil) -> SinkError {
        let verdict = verdict
        let words = code == "WRONGPASS" ? loginAdvice ?? verdict.advice : verdict.advice
        let advice = words.isEmpty ? "" : ": \(words)"
        return SinkError(verdict.kind, "Redis refused \(command) (\(self))\(advice)")
    }
}
