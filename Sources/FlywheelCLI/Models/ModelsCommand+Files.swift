import ArgumentParser
import Artifacts
import FlywheelCore
import Foundation
import Jobs
import Stores

extension ModelsCommand {
    struct Import: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a folder in Hugging Face's layout as a model.",
            discussion: "It becomes the next version of its name, as a candidate.")

        @Argument(
            help: "A folder with config.json and model.safetensors, or shards and their index.",
            completion: .directory)
        var folder: String
        @Option(help: "The model's name.")
        var name: String
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            guard SpecificationName.isValid(name) else {
                throw InputError(
                    field: "--name", "`\(name)` is not a name", remedy: SpecificationName.rule)
            }
            let source = try ModelFolder(folder)
            let artifacts = try database.artifacts
            let files = try source.add(to: artifacts.store, isModel: true)
            try await artifacts.keep(files.values)
            guard let digest = files["model.safetensors"] else { return }
            let record = try await database.registry.add(
                Outcome.Model(
                    base: nil, datasetDigest: nil, digest: digest, files: files,
                    parameters: try source.parameters()), name: name)
            try output.print(try JSONValue(encoding: record)) {
                print(
                    Terminal.output.isInteractive
                        ? "\(record.title): \(Formatting.count(record.parameters)) parameters"
                        : record.title)
            }
        }
    }

    struct Export: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a model as a folder that transformers, vLLM and others load.",
            discussion: """
                A model that was trained as an adapter has it in its weights; with --adapter, the adapter \
                alone is written, for PEFT and whoever serves one base with many.
                """)

        @Argument(help: "name or name@version.") var model: String
        @Argument(help: "A folder, which must not exist yet.", completion: .directory)
        var folder: String
        @Flag(help: "Write the adapter alone, in PEFT's layout.") var adapter = false
        @OptionGroup var output: OutputOptions

        func run(on database: Database) async throws {
            let record = try await database.model(model)
            let files =
                adapter ? try AdapterFiles.named(of: record) : AdapterFiles.without(record)
            let artifacts = try database.artifacts
            guard !FileManager.default.fileExists(atPath: folder) else {
                throw InputError(
                    file: folder, "it exists already",
                    remedy: "Nothing was written. Remove it, or give another path.")
            }
            try await artifacts.bring(files.values)
            for digest in files.values { try artifacts.store.verify(digest) }
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            for (name, digest) in files {
                try Files.copy(artifacts.store.path(of: digest), to: "\(folder)/\(name)")
            }
            output.print([
                "model": .string(record.title), "folder": .string(folder),
                "files": .object(files.mapValues { .string($0.hex) }),
            ]) {
                guard Terminal.output.isInteractive else { return }
                print("\(record.title): \(files.count) files in \(folder).")
            }
        }
    }
}
