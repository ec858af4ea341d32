"""Copies the walk and its simulation, and plants all bugs of the list into the copy, each behind a switch.

Usage: plant.py PROJECT FOLDER; prints the names of the bugs. The copy is a package of its own in FOLDER, whose
command `simulate` has the bug that SHARDWALK_MUTANT names, or none.
"""

import pathlib
import shutil
import sys

PACKAGE = """// swift-tools-version: 6.2

import PackageDescription

let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "shardwalk",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .target(name: "Records", swiftSettings: house),
        .target(
            name: "Walk",
            dependencies: ["Records", .product(name: "Logging", package: "swift-log")],
            swiftSettings: house),
        .target(
            name: "Simulation",
            dependencies: ["Walk", "Records", .product(name: "Logging", package: "swift-log")],
            path: "Tests/Simulation", swiftSettings: house),
        .executableTarget(
            name: "simulate",
            dependencies: [
                "Simulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Simulate", swiftSettings: house),
    ]
)
"""

SWITCH = """import Glibc

private let planted = getenv("SHARDWALK_MUTANT").map { String(cString: $0) }

/// Whether this bug is the one that is planted.
func isPlanted(_ name: String) -> Bool { planted == name }
"""


def mutants(text):
    """The bugs of a list: the names, the file, what stands there and what takes its place."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("== "):
            names, file = line.removeprefix("== ").split(" in ")
            found.append((names.split(", "), file, [], []))
        elif line.startswith("-") and found:
            found[-1][2].append(line[1:])
        elif line.startswith("+") and found:
            found[-1][3].append(line[1:])
        elif line.strip() and not line.startswith("#"):
            sys.exit(f"line {number} of the list is neither a heading, a change nor a comment")
    return found


def main(project, folder):
    for part in ["Sources/Records", "Sources/Walk", "Tests/Simulation", "Tests/Simulate"]:
        shutil.rmtree(folder / part, ignore_errors=True)
        shutil.copytree(project / part, folder / part)
    (folder / "Package.swift").write_text(PACKAGE)
    for room in ["Records", "Walk"]:
        (folder / "Sources" / room / "Planted.swift").write_text(SWITCH)
    planted = set()
    for names, file, old, new in mutants((project / "Tests/Mutants/mutants.txt").read_text()):
        path = folder / "Sources" / file
        text = path.read_text()
        before, after = "\n".join(old) + "\n", "\n".join(new) + "\n"
        if text.count(before) != 1:
            sys.exit(f"the bug {names[0]} does not fit {file} any more: write it anew")
        path.write_text(text.replace(before, after))
        for name in names:
            if f'"{name}"' not in after or name in planted:
                sys.exit(f"the bug {name} has no switch of its own")
            planted.add(name)
            print(name)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
