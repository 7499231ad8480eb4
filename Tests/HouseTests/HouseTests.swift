import Foundation
import Testing

/// The repository's folder, found from this file's own place.
private let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

private func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
}

/// The paths below `folder` that end in `suffix`, relative to the repository, in order.
private func files(in folder: String, suffix: String) throws -> [String] {
    try #require(FileManager.default.subpaths(atPath: root.appendingPathComponent(folder).path))
        .filter { $0.hasSuffix(suffix) && !$0.contains("/__pycache__/") }.map { "\(folder)/\($0)" }
        .sorted()
}

@Suite struct House {
    /// Who may import what C, one module each (two for kernels: their tests call them bare).
    @Test(arguments: [
        ("CPostgres", ["Sources/Postgres"]), ("CMPI", ["Sources/CollectivesMPI"]),
        ("CKernels", ["Sources/Tensors", "Tests/TensorsTests"]), ("CDNNL", ["Sources/Tensors"]),
        ("CMigrations", ["Sources/Stores"]), ("CProcess", ["Sources/Processes"]),
    ])
    func `a C library has one importer`(library: String, importers: [String]) throws {
        for file in try files(in: "Sources", suffix: ".swift")
            + files(in: "Tests", suffix: ".swift")
        where try text(file).contains(
            try Regex("(?m)^(public |package |internal )?import \(library)$"))
        {
            #expect(importers.contains { file.hasPrefix("\($0)/") }, "\(file) imports \(library)")
        }
    }

    @Test func `imports point down, from the top of the building to the ground`() throws {
        let floors = [
            ["FlywheelCLI", "FlywheelRank"],
            ["Coordination", "Workers", "Gateway", "Serving", "Labelling"],
            ["ArtifactTransfer"],
            ["Stores", "HTTPInterface", "CollectivesMPI"],
            ["Training", "Evaluation", "Curation", "Distillation"],
            ["Tasks"],
            ["Generation", "Datasets", "Captures"],
            ["Models", "Tokenizers", "Jobs"],
            ["Artifacts", "Collectives", "Graders", "Tensors", "EmbeddedPostgres", "Postgres"],
            ["FlywheelCore", "Processes"],
        ]
        let floor = Dictionary(
            uniqueKeysWithValues: floors.enumerated().flatMap { height, modules in
                modules.map { ($0, height) }
            })
        for file in try files(in: "Sources", suffix: ".swift") {
            let module = try #require(file.split(separator: "/").dropFirst().first.map(String.init))
            guard let own = floor[module] else { continue }
            for line in try text(file).split(separator: "\n")
            where line.contains("import ") && !line.hasPrefix("//") && !line.hasPrefix(" ") {
                let imported = String(line.split(separator: " ").last ?? "")
                guard let other = floor[imported] else { continue }
                #expect(own < other, "\(file) imports \(imported)")
            }
        }
    }

    @Test func `migrations are numbered without a gap, and the program carries every one`() throws {
        let names = try files(in: "migrations", suffix: ".sql").map {
            $0.dropFirst("migrations/".count)
        }
        for (index, name) in names.enumerated() {
            let number = String(repeating: "0", count: 4 - "\(index + 1)".count) + "\(index + 1)"
            #expect(name.hasPrefix("\(number)_"), "\(name) should have the number \(number)")
        }
        let carried = try text("Sources/CMigrations/migrations.c")
        for name in names { #expect(carried.contains("\"\(name)\""), "\(name) is not carried") }
        #expect(carried.matches(of: #/MIGRATION\(m/#).count == names.count)
        for name in names {
            #expect(try text("migrations/\(name)").hasPrefix("-- "), "\(name) does not say why")
        }
    }

    @Test func `every invariant of ARCHITECTURE names tests that exist`() throws {
        let sources = try files(in: "Tests", suffix: ".swift").map(text).joined()
        let invariants = try text("ARCHITECTURE.md").split(separator: "\n")
            .drop { !$0.hasPrefix("## Invariants") }.dropFirst().prefix { !$0.hasPrefix("## ") }
        let numbered = invariants.filter { $0.contains(#/^\d+\. /#) }
        #expect(numbered.count >= 10)
        var number = 0
        for line in invariants {
            if line.contains(#/^\d+\. /#) {
                number += 1
                #expect(line.hasPrefix("\(number). "), "invariants are numbered from 1: \(line)")
            }
            for name in line.matches(of: #/Test: `([^`]+)`/#) {
                #expect(sources.contains("`\(name.1)`"), "no test is called \(name.1)")
            }
        }
        let named = invariants.count { $0.contains("Test: `") }
        #expect(named >= numbered.count, "an invariant without a test is a wish")
    }

    @Test func `nothing in the tree names a person's machine or leaves a note to finish later`()
        throws
    {
        let places = ["Sources", "Tests", "migrations", "scripts"]
        for place in places {
            for suffix in [".swift", ".c", ".h", ".sql", ".py"] {
                for file in try files(in: place, suffix: suffix) where !file.contains("HouseTests")
                {
                    let text = try text(file)
                    #expect(!text.contains("/home/"), "\(file)")
                    #expect(!text.contains(#/\b(TODO|FIXME|XXX)\b/#), "\(file)")
                }
            }
        }
    }

    @Test func `every module has a folder of tests or is run as a whole`() throws {
        let manifest = try text("Package.swift")
        for module in manifest.matches(of: #/module\(\s*"(\w+)"/#).map({ String($0.1) }) {
            let isAdapter = ["CollectivesMPI"].contains(module)
            #expect(isAdapter || manifest.contains("\"\(module)Tests\""), "\(module) has no tests")
        }
    }
}
