import Foundation
import TestBed
import Testing

/// The service as systemd understands it.
@Suite struct UnitTests {
    private static let unit = "systemd/shardwalk.service"

    @Test func `systemd finds nothing to complain about`() async throws {
        // It wants the program to exist, which is not installed here: a copy names another one.
        let directory = try TemporaryDirectory()
        let copy = directory.path("shardwalk.service")
        let text = try Repository.text(Self.unit)
        try text.replacing("/usr/bin/shardwalk", with: "/bin/true").write(
            toFile: copy, atomically: false, encoding: .utf8)
        let verdict = try await Command(
            "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy)
        #expect(verdict.status == 0, "\(verdict.output)")
        #expect(!verdict.output.contains("shardwalk"), "\(verdict.output)")
    }

    @Test func `its exposure is 2.0 at the most`() async throws {
        let verdict = try await Command(
            "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20",
            Repository.path(Self.unit))
        #expect(verdict.status == 0, "\(verdict.output.suffix(200))")
    }

    @Test func `it runs the program that is installed, on the file that is installed`() throws {
        let unit = try Repository.text(Self.unit)
        let installer = try Repository.text("deploy/install.sh")
        for path in ["/usr/bin/shardwalk", "/etc/shardwalk/config.json"] {
            #expect(unit.contains(path) && installer.contains(path), "\(path)")
        }
    }
}
