import Testing

/// Who may import what: the arrows between the rooms, and the fence around C.
@Suite struct ImportTests {
    /// The rooms that each room may see; the program sees all of them.
    private static let visible: [String: Set<String>] = [
        "Records": [],
        "Walk": ["Records"],
        "AWS": [],
        "Streams": ["Records", "Walk", "AWS"],
        "Redis": ["Records", "Walk"],
        "LocalRedis": [],
        "LocalStreams": ["AWS", "Records"],
    ]

    /// The files that open a C library; each says so in its comments ("opens CCurl").
    private static let doors: [String: Set<String>] = [
        "CCurl": [
            "Sources/AWS/HTTPClient.swift", "Sources/AWS/Transfer.swift",
            "Sources/AWS/TransferThread.swift",
        ],
        "COpenSSL": [
            "Sources/AWS/Digest.swift", "Sources/Redis/CertificateRefusal.swift",
            "Sources/Redis/TLSContext.swift", "Sources/Redis/TLSStream.swift",
        ],
        "CHiredis": ["Sources/Redis/ReplyReader.swift"],
    ]

    private static let rooms = Set(visible.keys).union(["shardwalk"])

    @Test(arguments: rooms.sorted())
    func `a room imports the rooms that its arrows point to`(room: String) throws {
        let allowed = Self.visible[room] ?? Self.rooms
        for file in try Repository.swiftFiles(in: "Sources/\(room)") {
            let imported = try imports(in: file).intersection(Self.rooms)
            #expect(
                imported.isSubset(of: allowed),
                "\(file) imports \(imported.subtracting(allowed).sorted())")
        }
    }

    @Test func `every room is in the table of arrows`() throws {
        let folders = try Repository.files(in: "Sources").map { $0.split(separator: "/")[1] }
        #expect(Set(folders.map(String.init)) == Self.rooms.union(Self.doors.keys))
    }

    @Test(arguments: doors.keys.sorted())
    func `a C library is opened by the files that are marked and by no other`(door: String) throws {
        var opened: Set<String> = []
        for file in try Repository.swiftFiles(in: "Sources") + Repository.swiftFiles(in: "Tests")
        where try imports(in: file).contains(door) {
            opened.insert(file)
            let isMarked = try Repository.text(file).lowercased()
                .contains("opens \(door.lowercased())")
            #expect(isMarked, "\(file) imports \(door) and does not say \"opens \(door)\"")
        }
        #expect(opened == Self.doors[door])
    }

    /// The modules that a file imports.
    private func imports(in file: String) throws -> Set<String> {
        let line =
            /^\s*(?:@\w+\s+)?(?:(?:package|internal|private|fileprivate)\s+)?import\s+(?:(?:struct|class|enum|func)\s+)?(\w+)/
            .anchorsMatchLineEndings()
        return Set(try Repository.text(file).matches(of: line).map { String($0.output.1) })
    }
}
