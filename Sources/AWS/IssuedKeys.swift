package import FoundationEssentials

/// Keys as containers' endpoints, EC2 and credential processes write them in JSON.
///
/// Endpoints call the token `Token`, processes `SessionToken`. Nothing of what was read gets into an error.
struct IssuedKeys: Decodable {
    /// The largest answer that is read, in bytes.
    static let largest = 64 << 10

    /// The form's version, which processes must give.
    let version: Version?
    /// The public name of the key.
    let accessKeyID: String?
    /// The secret half.
    let secretAccessKey: String?
    /// The session token, under either name.
    let token: String?
    /// When the keys end, in ISO 8601.
    let expiration: String?
    /// `Success`, or what went wrong although the status is 200.
    let code: String?
    /// Words about `code`.
    let message: String?

    /// The form's version: a number, whatever else may stand there.
    struct Version: Decodable, Equatable {
        /// The number; nil where something else stands there.
        let number: Int?

        /// Takes anything.
        init(from decoder: any Decoder) throws {
            number = try? decoder.singleValueContainer().decode(Int.self)
        }
    }

    private enum CodingKeys: String, CodingKey {
        case version = "Version"
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case token = "Token"
        case sessionToken = "SessionToken"
        case expiration = "Expiration"
        case code = "Code"
        case lowerCode = "code"
        case message = "Message"
        case lowerMessage = "message"
    }

    /// Reads what is there; every key may be missing.
    init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ names: CodingKeys...) throws -> String? {
            for name in names {
                if let text = try keys.decodeIfPresent(String.self, forKey: name) { return text }
            }
            return nil
        }
        version = try keys.decodeIfPresent(Version.self, forKey: .version)
        accessKeyID = try text(.accessKeyID)
        secretAccessKey = try text(.secretAccessKey)
        token = try text(.token, .sessionToken)
        expiration = try text(.expiration)
        code = try text(.code, .lowerCode)
        message = try text(.message, .lowerMessage)
    }

    /// Reads an object; nil where the bytes are not one, or a key holds something else than text.
    init?(_ json: [UInt8]) {
        guard let keys = try? JSONDecoder().decode(IssuedKeys.self, from: Data(json)) else {
            return nil
        }
        self = keys
    }

    /// The keys, `origin` being who gave them in words.
    /// - Throws: `CredentialError` of the kind `unavailable` where a key is missing or malformed.
    func credentials(from origin: String) throws(CredentialError) -> Credentials {
        guard let accessKeyID, !accessKeyID.isEmpty, let secretAccessKey, !secretAccessKey.isEmpty
        else {
            throw CredentialError(
                .unavailable, "\(origin) gave no AccessKeyId with a SecretAccessKey")
        }
        var end: Date?
        if let expiration {
            end = Date(iso8601: expiration)
            guard end != nil else {
                throw CredentialError(
                    .unavailable, "\(origin) gave an Expiration that is not a time in ISO 8601")
            }
        }
        return Credentials(
            accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: token,
            expiration: end)
    }

    /// The code and the message of a failure, cut to a length fit for a log.
    var complaint: String? {
        let words = [code, message].compactMap(\.self).joined(separator: ": ")
        return words.isEmpty ? nil : String(words.prefix(300))
    }
}

extension Date {
    /// A time as AWS's services and their tools write it: fractions and offsets are understood, `Z` may be
    /// missing, and a blank may stand for `T`.
    package init?(iso8601 text: String) {
        let joined = text.replacing(" ", with: "T", maxReplacements: 1)
        guard
            let date = (try? Date(joined, strategy: .iso8601))
                ?? (try? Date(joined + "Z", strategy: .iso8601))
        else { return nil }
        self = date
    }
}
