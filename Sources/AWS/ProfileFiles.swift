/// AWS's two shared files, `~/.aws/config` and `~/.aws/credentials`, as one value.
///
/// Where both files have a profile their keys are merged, and those of the credentials file win.
/// Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
package struct ProfileFiles: Hashable, Sendable {
    /// What stands below a section's name.
    package struct Keys: Hashable, Sendable {
        /// Keys in lower case with their values; a value of several lines keeps its line ends.
        package var values: [String: String] = [:]
        /// Keys that have a table of keys instead of a value.
        package var tables: [String: [String: String]] = [:]

        /// The value of a key, unless it is empty: an empty one counts as not set.
        package subscript(_ key: String) -> String? { values.nonEmpty(key) }
    }

    /// The profiles by name; `default` is one of them where a file has it.
    package private(set) var profiles: [String: Keys] = [:]
    /// The `services` sections by name; their tables hold the endpoints.
    package private(set) var services: [String: Keys] = [:]
    /// What the operator should know, although the files can be used.
    package private(set) var warnings: [String] = []
    /// Sections of the config file that look like profiles and are none, for want of the word `profile`.
    private var bareSections: Set<String> = []

    /// The three keys that belong together and are never mixed from two files.
    private static let staticKeys = [
        "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token",
    ]

    /// The files' profiles.
    ///
    /// Nil stands for a file that does not exist; the names are for messages.
    /// - Throws: `SettingsError` with the file and the line that cannot be read.
    package init(
        config: String?, credentials: String?, configName: String = "~/.aws/config",
        credentialsName: String = "~/.aws/credentials"
    ) throws(SettingsError) {
        if let config { try addConfig(ProfileSyntax(config, file: configName), configName) }
        if let credentials {
            try addCredentials(ProfileSyntax(credentials, file: credentialsName))
        }
    }

    /// Reads the files of this environment as they are now.
    ///
    /// The places are `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`, otherwise those below the home
    /// directory; a file that is not there counts as empty.
    /// - Throws: `SettingsError` where a file that a variable names can't be read, or one is malformed.
    package static func read(
        environment: [String: String]
    ) throws(SettingsError) -> ProfileFiles {
        var warnings: [String] = []
        let config = try text(
            "AWS_CONFIG_FILE", "~/.aws/config", environment, holdsKeys: false, &warnings)
        let credentials = try text(
            "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", environment, holdsKeys: true,
            &warnings)
        var files = try ProfileFiles(
            config: config.text, credentials: credentials.text, configName: config.name,
            credentialsName: credentials.name)
        files.warnings = warnings + files.warnings
        return files
    }

    /// The keys of a profile that somebody named.
    /// - Throws: `SettingsError` where neither file has it.
    package func profile(_ name: String, namedBy origin: String) throws(SettingsError) -> Keys {
        if let keys = profiles[name] { return keys }
        let hint =
            bareSections.contains(name)
            ? "the config file has a section [\(name)], which must be called [profile \(name)]"
            : "add it as [profile \(name)] to the config file, or correct the name"
        throw SettingsError(
            "\(origin) names the profile \(name), which is in neither of AWS's shared files",
            remedy: hint)
    }

    private mutating func addConfig(_ syntax: ProfileSyntax, _ file: String) {
        warnings += syntax.warnings
        for section in syntax.sections {
            switch ShellWords.split(section.name) {
            case ["default"]: profiles["default", default: Keys()].merge(section.keys)
            case .some(let words) where words.count == 2 && words[0] == "profile":
                profiles[words[1], default: Keys()].merge(section.keys)
            case .some(let words) where words.count == 2 && words[0] == "services":
                services[words[1], default: Keys()].merge(section.keys)
            case .some(let words) where words.count == 1: bareSections.insert(words[0])
            case .some: break
            case nil:
                warnings.append(
                    "\(file): the section [\(section.name)] is ignored: a quote is open")
            }
        }
    }

    private mutating func addCredentials(_ syntax: ProfileSyntax) {
        warnings += syntax.warnings
        for section in syntax.sections {
            if section.keys.values["aws_access_key_id"] != nil {
                for key in Self.staticKeys { profiles[section.name]?.values[key] = nil }
            }
            profiles[section.name, default: Keys()].merge(section.keys)
        }
    }

    private static func text(
        _ variable: String, _ standard: String, _ environment: [String: String], holdsKeys: Bool,
        _ warnings: inout [String]
    ) throws(SettingsError) -> (name: String, text: String?) {
        let named = environment.nonEmpty(variable)
        let home = environment.nonEmpty("HOME") ?? SmallFile.homeDirectory()
        guard let path = expand(named ?? standard, environment, home: home) else {
            return (standard, nil)
        }
        do {
            guard let content = try SmallFile.read(path) else {
                if named != nil {
                    warnings.append("\(variable) names \(path), which does not exist")
                }
                return (path, nil)
            }
            if holdsKeys, content.isOpenToOthers {
                warnings.append("\(path) may be read by others than its owner: chmod 600 \(path)")
            }
            return (path, content.text)
        } catch {
            // The home directory may be somebody else's (sudo) or shut by systemd: then there is nothing here.
            guard named == nil else {
                throw SettingsError(
                    "\(variable) names \(path), which cannot be read: \(error.reason)",
                    remedy: "let the daemon's user read it")
            }
            warnings.append("\(path) is left out, since it cannot be read: \(error.reason)")
            return (path, nil)
        }
    }

    /// A path with `~`, `$NAME` and `${NAME}` expanded as botocore does; nil where there is no home.
    static func expand(
        _ path: String, _ environment: [String: String], home: String?
    ) -> String? {
        var rest = path[...]
        var expanded = ""
        if rest == "~" || rest.hasPrefix("~/") {
            guard let home else { return nil }
            expanded = home
            rest = rest.dropFirst()
        }
        while let dollar = rest.firstIndex(of: "$") {
            expanded += rest[..<dollar]
            let after = rest[dollar...].dropFirst()
            let braced = after.first == "{"
            let name = after.dropFirst(braced ? 1 : 0).prefix {
                braced ? $0 != "}" : $0 == "_" || ($0.isASCII && ($0.isLetter || $0.isNumber))
            }
            let end = after[name.endIndex...].dropFirst(braced ? 1 : 0)
            if let value = environment[String(name)], !braced || name.endIndex != after.endIndex {
                expanded += value
            } else {
                // A variable that does not exist stays as it is written.
                expanded += rest[dollar..<end.startIndex]
            }
            rest = end
        }
        return expanded + rest
    }
}

extension ProfileFiles.Keys {
    /// Takes the keys of another section of the same profile, which win.
    fileprivate mutating func merge(_ other: ProfileFiles.Keys) {
        for (key, value) in other.values {
            tables[key] = nil
            values[key] = value
        }
        for (key, table) in other.tables {
            values[key] = nil
            tables[key] = table
        }
    }
}

extension [String: String] {
    /// The value of a key, unless it is empty: a variable that is set but empty counts as not set.
    func nonEmpty(_ key: String) -> String? {
        self[key].flatMap { $0.isEmpty ? nil : $0 }
    }
}
