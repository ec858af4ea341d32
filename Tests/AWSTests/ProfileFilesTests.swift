import Foundation
import TestBed
import Testing

@testable import AWS

/// Profile files as values, compared with what the SDKs' documents and botocore say.
struct ProfileFilesTests {
    @Test func `sections are profiles as each of the two files names them`() throws {
        let files = try ProfileFiles(
            config: """
                [default]
                region = us-east-1
                [profile a]
                region = eu-west-1
                [profile "two words"]
                region = eu-west-2
                [bare]
                region = eu-west-3
                """,
            credentials: """
                [bare name]
                aws_access_key_id = AK
                [profile b]
                aws_access_key_id = AK
                """)
        #expect(
            Set(files.profiles.keys) == ["default", "a", "two words", "bare name", "profile b"])
        #expect(files.profiles["two words"]?["region"] == "eu-west-2")
    }

    @Test func `the credentials file wins for each key`() throws {
        let files = try ProfileFiles(
            config: "[profile a]\nregion = eu-west-1\noutput = text\n",
            credentials: "[a]\nregion = eu-west-2\n")
        #expect(files.profiles["a"]?.values == ["region": "eu-west-2", "output": "text"])
    }

    @Test func `keys of two files are never mixed into one credential`() throws {
        let files = try ProfileFiles(
            config: """
                [profile a]
                aws_access_key_id = AKOLD
                aws_secret_access_key = old
                aws_session_token = old-token
                """,
            credentials: "[a]\naws_access_key_id = AKNEW\naws_secret_access_key = new\n")
        #expect(
            files.profiles["a"]?.values == [
                "aws_access_key_id": "AKNEW", "aws_secret_access_key": "new",
            ])
    }

    /// Python looks at scalars; to Swift each of these signs and its accent are one character.
    @Test func `a sign with an accent after it is that sign`() throws {
        let files = try ProfileFiles(
            config: """
                [profile a ]\u{301}
                region = \u{301}x
                output=\u{301}y
                #\u{301} comment
                """, credentials: "")
        #expect(
            files.profiles["a"]?.values == ["region": "\u{301}x", "output": "\u{301}y"])
    }

    @Test func `services sections hold one level of tables`() throws {
        let files = try ProfileFiles(
            config: """
                [services local]
                dynamodb =
                  endpoint_url = http://localhost:8000
                  Other = x = y
                sts =
                \tendpoint_url = http://localhost:9000
                s3 = flat
                """, credentials: nil)
        #expect(
            files.services["local"]?.tables == [
                "dynamodb": ["endpoint_url": "http://localhost:8000", "other": "x = y"],
                "sts": ["endpoint_url": "http://localhost:9000"],
            ])
        #expect(files.services["local"]?.values == ["s3": "flat"])
    }

    @Test func `secrets keep the characters that begin comments elsewhere`() throws {
        let files = try ProfileFiles(
            config: nil,
            credentials: "# note\r\n[a]\r\n; note\r\naws_secret_access_key = a#b ; c/d=\r\n")
        #expect(files.profiles["a"]?["aws_secret_access_key"] == "a#b ; c/d=")
    }

    @Test func `repeated sections are merged with a warning`() throws {
        let files = try ProfileFiles(
            config: "[profile a]\nregion = x\noutput = y\n[profile b]\n[profile a]\nregion = z\n",
            credentials: nil)
        #expect(files.profiles["a"]?.values == ["region": "z", "output": "y"])
        #expect(files.warnings.count == 2)
        #expect(files.warnings.first?.contains("line 5 repeats the section [profile a]") == true)
    }

    @Test(arguments: [
        ("region = x\n", "line 1 comes before the first [section]"),
        ("[a]\nnonsense\n", "line 2 is neither"),
        ("[a]\ns3 =\n  nonsense\n", "line 2 begins a table"),
        ("[a]\n= value\n", "line 2 is neither"),
    ]) func `a malformed line is named and not shown`(text: String, words: String) throws {
        let error = try #require(throws: SettingsError.self) {
            try ProfileFiles(config: nil, credentials: text, credentialsName: "/the/file")
        }
        #expect(error.message.contains(words))
        #expect(error.message.contains("/the/file"))
        #expect(!error.message.contains("nonsense"))
    }

    @Test func `a profile without its keyword is explained`() throws {
        let files = try ProfileFiles(config: "[prod]\nregion = x\n", credentials: nil)
        let error = try #require(throws: SettingsError.self) {
            try files.profile("prod", namedBy: "AWS_PROFILE")
        }
        #expect(error.description.contains("must be called [profile prod]"))
    }

    @Test(arguments: [
        ("~/x", "/home/u/x"), ("~", "/home/u"), ("~other/x", "~other/x"), ("/a/$V/b", "/a/v/b"),
        ("/a/${V}b", "/a/vb"), ("$V", "v"), ("/$NONE/x", "/$NONE/x"), ("/${NONE}/x", "/${NONE}/x"),
        ("/${V", "/${V"), ("a$", "a$"), ("$V$V", "vv"),
    ]) func `paths are expanded as in a shell`(path: String, expected: String) {
        #expect(ProfileFiles.expand(path, ["V": "v"], home: "/home/u") == expected)
    }

    @Test func `files are found below the home directory or where variables say`() throws {
        let home = try TemporaryDirectory()
        try FileManager.default.createDirectory(
            atPath: home.path(".aws"), withIntermediateDirectories: false)
        try write("[default]\nregion = eu-west-1\n", home.path(".aws/config"))
        try write("[default]\nx = home\n", home.path(".aws/credentials"), mode: 0o600)
        try write("[default]\nx = elsewhere\n", home.path("elsewhere"), mode: 0o644)

        var environment = ["HOME": home.path]
        var files = try ProfileFiles.read(environment: environment)
        #expect(files.profiles["default"]?.values == ["region": "eu-west-1", "x": "home"])
        #expect(files.warnings.isEmpty)

        environment["AWS_SHARED_CREDENTIALS_FILE"] = "$HOME/elsewhere"
        files = try ProfileFiles.read(environment: environment)
        #expect(files.profiles["default"]?["x"] == "elsewhere")
        #expect(files.warnings.first?.contains("chmod 600") == true)

        environment["AWS_SHARED_CREDENTIALS_FILE"] = "~/nowhere"
        files = try ProfileFiles.read(environment: environment)
        #expect(files.profiles["default"]?["x"] == nil)
        #expect(files.warnings.first?.contains("does not exist") == true)
    }

    @Test func `a named file that is no text is an error and another one a warning`() throws {
        let home = try TemporaryDirectory()
        try FileManager.default.createDirectory(
            atPath: home.path(".aws"), withIntermediateDirectories: false)
        try Data([0x5b, 0xff, 0x5d]).write(to: URL(filePath: home.path(".aws/config")))
        let files = try ProfileFiles.read(environment: ["HOME": home.path])
        #expect(files.profiles.isEmpty)
        #expect(files.warnings.first?.contains("not UTF-8") == true)
        let error = try #require(throws: SettingsError.self) {
            try ProfileFiles.read(environment: [
                "HOME": home.path, "AWS_CONFIG_FILE": home.path(".aws/config"),
            ])
        }
        #expect(error.message.contains("AWS_CONFIG_FILE"))
    }

    @Test func `without HOME the system knows where the home directory is`() {
        #expect(SmallFile.homeDirectory()?.hasPrefix("/") == true)
    }

    @Test func `only regular files of a sane size are read`() throws {
        let home = try TemporaryDirectory()
        #expect(mkfifo(home.path("pipe"), 0o600) == 0)
        #expect(try SmallFile.read(home.path("pipe")) == nil)
        #expect(try SmallFile.read(home.path) == nil)
        #expect(try SmallFile.read("/dev/null") == nil)
        #expect(try SmallFile.read(home.path("nothing")) == nil)
        try Data(repeating: 0x20, count: SmallFile.limit)
            .write(to: URL(filePath: home.path("full")))
        #expect(try SmallFile.read(home.path("full"))?.text.utf8.count == SmallFile.limit)
        try Data(repeating: 0x20, count: SmallFile.limit + 1)
            .write(to: URL(filePath: home.path("over")))
        #expect(throws: SmallFile.Unreadable.self) { try SmallFile.read(home.path("over")) }
    }

    @Test(arguments: [
        ("a b", ["a", "b"]), ("", []), ("  ", []), ("a 'b c' d", ["a", "b c", "d"]),
        ("a\"b c\"d", ["ab cd"]), ("'' \"\"", ["", ""]), ("a\\ b", ["a b"]),
        ("\"\\\"\\\\\\n\"", ["\"\\\\n"]), ("'\\'", ["\\"]), ("$HOME ~ *", ["$HOME", "~", "*"]),
        ("'open", nil), ("\"open", nil), ("end\\", nil), ("\"end\\", nil),
    ]) func `a command line is split as a shell does`(text: String, words: [String]?) {
        #expect(ShellWords.split(text) == words)
    }

    private func write(_ text: String, _ path: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
}

/// Random files, read by botocore and by us.
struct ProfileOracleTests {
    private struct Section: Decodable, Equatable {
        let values: [String: String]
        let tables: [String: [String: String]]
    }

    private struct Case: Decodable {
        let config: String
        let credentials: String
        let environment: [String: String]
        let profiles: [String: Section]?
        let services: [String: Section]?
        let endpoints: [String?]?
        let error: String?
    }

    @Test func `random files mean what botocore reads in them`() async throws {
        let output = try await Python.run("Python/profile_oracle.py", ["20260101", "400"])
        for example in try JSONDecoder().decode([Case].self, from: output) {
            let note = Comment(rawValue: "\(example)")
            let files: ProfileFiles
            do {
                files = try ProfileFiles(config: example.config, credentials: example.credentials)
            } catch {
                #expect(example.error != nil, note)
                continue
            }
            #expect(example.error == nil, note)
            #expect(files.profiles.mapValues(section) == example.profiles, note)
            #expect(files.services.mapValues(section) == example.services, note)
            // botocore looks for one endpoint at a time, we look for all three at once.
            let isRefused = example.endpoints?.contains("InvalidConfigError") == true
            #expect(
                endpoints(files, example.environment) == (isRefused ? nil : example.endpoints),
                note)
        }
    }

    private func section(_ keys: ProfileFiles.Keys) -> Section {
        Section(values: keys.values, tables: keys.tables)
    }

    private func endpoints(
        _ files: ProfileFiles, _ environment: [String: String]
    ) -> [String?]? {
        do {
            let settings = try AWSSettings(
                overrides: .init(region: "us-east-1"), environment: environment, files: files)
            return [settings.dynamoDBEndpoint, settings.streamsEndpoint, settings.stsEndpoint]
        } catch {
            return nil
        }
    }
}
