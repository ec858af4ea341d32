// swift-tools-version: 6.2

import PackageDescription

/// Every room is built alike: Swift 6, imports declared where they are used, no warnings.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "shardwalk",
    products: [
        .executable(name: "shardwalk", targets: ["shardwalk"]),
        // Loaded into processes by tests; nothing links it.
        .library(name: "WrongClock", type: .dynamic, targets: ["WrongClock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // The C doors: a module map and a header that states the contract of each shim.
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),

        // From a page's bytes to changes of the cache: pure values, no input or output.
        .target(name: "Records", swiftSettings: house),
        // The core: which shard may be read, from where, and what is safe to remember.
        .target(name: "Walk", dependencies: ["Records", logging], swiftSettings: house),
        // Signing, credentials, endpoints and HTTP for AWS's services.
        .target(
            name: "AWS",
            dependencies: [
                "CCurl", "COpenSSL", logging,
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: house),
        // DynamoDB and DynamoDB Streams: the walk's source.
        .target(
            name: "Streams", dependencies: ["Records", "Walk", "AWS", logging],
            swiftSettings: house),
        // Redis: the walk's sink.
        .target(
            name: "Redis", dependencies: ["Records", "Walk", "CHiredis", "COpenSSL", logging],
            swiftSettings: house),
        // A redis-server of one's own, for the demo and for tests.
        .target(name: "LocalRedis", swiftSettings: house),
        // An emulator of DynamoDB and its streams, for the demo and for tests.
        .target(name: "LocalStreams", dependencies: ["AWS", "Records"], swiftSettings: house),
        // The program.
        .executableTarget(
            name: "shardwalk",
            dependencies: [
                "Records", "Walk", "AWS", "Streams", "Redis", "LocalStreams",
                "LocalRedis", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),

        .target(
            name: "TestBed",
            path: "Tests/TestBed", exclude: ["Python"], swiftSettings: house),
        // The clock of a process, for a test to set.
        .target(name: "WrongClock", path: "Tests/WrongClock"),
        // The walk in a world that is made up from a seed; and the command that runs many such worlds.
        .target(
            name: "Simulation", dependencies: ["Walk", "Records", logging],
            path: "Tests/Simulation", swiftSettings: house),
        .executableTarget(
            name: "simulate",
            dependencies: [
                "Simulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Simulate", swiftSettings: house),
        .testTarget(
            name: "RecordsTests", dependencies: ["Records", "TestBed"], exclude: ["JavaScript"],
            swiftSettings: house),
        .testTarget(
            name: "WalkTests", dependencies: ["Walk", "Records", "Simulation", "TestBed", logging],
            exclude: ["Golden"], swiftSettings: house),
        .testTarget(
            name: "AWSTests", dependencies: ["AWS", "TestBed", logging], exclude: ["Python"],
            swiftSettings: house),
        .testTarget(
            name: "StreamsTests",
            dependencies: [
                "Streams", "Walk", "Records", "AWS", "LocalStreams", "TestBed", logging,
            ],
            exclude: ["Python"], swiftSettings: house),
        .testTarget(
            name: "RedisTests",
            dependencies: ["Redis", "Walk", "Records", "LocalRedis", "TestBed"],
            swiftSettings: house),
        .testTarget(
            name: "LocalStreamsTests", dependencies: ["LocalStreams", "AWS", "TestBed"],
            exclude: ["Python"], swiftSettings: house),
        .testTarget(
            name: "DaemonTests",
            dependencies: [
                "shardwalk", "Records", "Walk", "AWS", "Streams", "Redis", "LocalStreams",
                "LocalRedis", "TestBed", logging,
            ],
            exclude: ["Golden", "Scripts"], swiftSettings: house),
        // Targets for fuzzing, on inputs that a seed makes.
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "shardwalk", "Records", "Walk", "AWS", "Streams", "Redis", "TestBed", logging,
            ],
            exclude: ["LibFuzzer.swift", "Corpus", "json.dict"], swiftSettings: house),
        .testTarget(
            name: "HouseTests", dependencies: ["shardwalk", "TestBed"], swiftSettings: house),
    ]
)

// For deploy/fuzz.sh alone: the same targets as a program of libFuzzer's, which brings its own `main`; so of the
// program only what reads the configuration is built, as a library.
if Context.environment["SHARDWALK_FUZZ"] != nil {
    package.products = []
    package.targets.removeAll { ["shardwalk", "FuzzTests"].contains($0.name) }
    package.targets += [
        .target(
            name: "shardwalk",
            dependencies: [
                "Records", "Walk", "Redis", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            sources: [
                "Config.swift", "Config+IAM.swift", "ConfigReader.swift", "Exit.swift",
                "LineLog.swift", "Secrets.swift",
            ],
            swiftSettings: house),
        .executableTarget(
            name: "fuzz",
            dependencies: ["shardwalk", "Records", "Walk", "AWS", "Streams", "Redis", logging],
            path: "Tests/FuzzTests",
            exclude: ["Corpus", "json.dict", "MutationTests.swift", "Mutator.swift"],
            swiftSettings: house),
    ]
}
