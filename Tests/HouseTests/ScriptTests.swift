import Testing

/// The scripts and the image.
@Suite struct ScriptTests {
    static let scripts =
        ((try? Repository.files(in: "deploy")) ?? []).filter { $0.hasSuffix(".sh") } + [".ci/run"]

    @Test(arguments: scripts)
    func `a script is one that bash reads, and shellcheck praises`(script: String) async throws {
        let syntax = try await Command("bash", "-n", Repository.path(script))
        #expect(syntax.status == 0, "\(syntax.output)")
        let style = try await Command("shellcheck", "--external-sources", Repository.path(script))
        #expect(style.status == 0, "\(style.output)")
    }

    @Test func `the image installs what the program links against`() throws {
        let setup = try Repository.text("deploy/setup.sh")
        let list = try #require(setup.firstMatch(of: /runtime_packages=\(([^)]*)\)/))
        let stages = try Repository.text("deploy/Dockerfile").split(separator: "\nFROM ")
        let last = try #require(stages.last)
        for package in list.output.1.split(whereSeparator: \.isWhitespace) {
            #expect(last.contains(package), "\(package) is not in the last stage of the Dockerfile")
        }
    }
}
