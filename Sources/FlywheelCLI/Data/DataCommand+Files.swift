import ArgumentParser
import Artifacts
import Datasets
import FlywheelCore
import Foundation
import Jobs
import Stores

extension DataCommand {
    struct Import: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a JSONL file as a dataset.",
            discussion: """
                Every row is read and checked first. The same rows under the same name are the \
                version they were.
                """)

        @Argument(help: "A JSONL file.", completion: .file(extensions: ["jsonl"]))
        var file: String
        @Option(help: "The dataset's name.")
        var name: String
        @Flag(help: "For examinations alone: nothing may train on it.")
        var golden = false
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let record = try await database.importDataset(file, name: name, isGolden: golden)
            try output.print(try JSONValue(encoding: record)) {
                print(
                    Terminal.output.isInteractive
                        ? "\(name) version \(record.version): \(Formatting.count(record.rows)) rows, "
                            + "\(Formatting.bytes(record.bytes)), \(record.digest)"
                        : "\(name)@\(record.digest)")
            }
        }
    }

    struct Export: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a dataset's rows, as they were imported.")

        @Argument(help: "name, name@latest or name@digest.") var dataset: String
        @Option(help: "A file, which must not exist; standard output without.")
        var to: String?

        func run(on database: Database) async throws {
            let record = try await database.dataset(dataset)
            let artifacts = try ArtifactStore(at: database.environment.artifacts)
            try artifacts.verify(record.digest)
            let path = artifacts.path(of: record.digest)
            if let to {
                try Files.copy(path, to: to)
            } else {
                let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
                while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty {
                    try FileHandle.standardOutput.write(contentsOf: piece)
                }
            }
        }
    }
}

extension Database {
    /// Adds the JSONL file at `path` as a dataset, after reading and checking every row.
    func importDataset(
        _ path: String, name: String, isGolden: Bool
    ) async throws -> DatasetRecord {
        guard SpecificationName.isValid(name) else {
            throw InputError(
                field: "--name", "`\(name)` is not a name", remedy: SpecificationName.rule)
        }
        let rows = try DatasetFile.rows(at: path)
        let artifacts = try ArtifactStore(at: environment.artifacts)
        let (digest, bytes) = try artifacts.add(file: path)
        let record = try await registry.add(
            NewDataset(
                name: name, digest: digest, shape: rows[0].content.shape.rawValue,
                rows: rows.count, bytes: Int64(bytes), isGolden: isGolden,
                card: try JSONValue(encoding: DatasetCard(of: rows)),
                source: URL(fileURLWithPath: path).path))
        if record.isGolden != isGolden {
            throw InputError(
                field: "--golden",
                "the same rows are \(name) version \(record.version), "
                    + (record.isGolden ? "a golden set" : "no golden set"),
                remedy: "Nothing was changed. Take another name.")
        }
        return record
    }
}

/// Files that people get.
enum Files {
    /// Copies `path` to `destination`, which must not exist yet; the copy may be written to.
    static func copy(_ path: String, to destination: String) throws {
        guard !FileManager.default.fileExists(atPath: destination) else {
            throw InputError(
                file: destination, "it exists already",
                remedy: "Nothing was written. Remove it, or give another path.")
        }
        try FileManager.default.copyItem(atPath: path, toPath: destination)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: destination)
    }
}
