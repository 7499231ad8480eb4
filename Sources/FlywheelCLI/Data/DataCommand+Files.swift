public import ArgumentParser
import Artifacts
public import Captures
import Datasets
import FlywheelCore
import Foundation
import Jobs
import Stores

extension DataCommand {
    struct Import: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add files of rows as a dataset.",
            discussion: """
                JSONL, or JSON with one array: conversations (OpenAI's and ShareGPT's, with tools), \
                prompts with completions, instructions, texts, tokens, pairs of answers (OpenAI's and \
                Hugging Face's), judged answers, prompts with references, captured calls. All rows have \
                one shape. Every row is read and checked first; what is kept is one form, so that the \
                same rows under the same name are the version they were.

                With --captures the files hold calls that were recorded elsewhere (NVIDIA's and \
                TensorZero's records, or request and response with a timestamp). They become captures, \
                each once, with the record's id as external. With --feedback they hold what was said of \
                those calls (TensorZero's metrics, or the gateway's own words), joined by that id.
                """)

        @Argument(
            help: "Files, read as if they were one; - is standard input.",
            completion: .file(extensions: ["jsonl", "json"]))
        var files: [String]
        @Option(help: "The dataset's name.")
        var name: String?
        @Flag(help: "The files hold recorded calls: keep them as captures, not as a dataset.")
        var captures = false
        @Flag(help: "The files hold what was said of such calls: keep it as feedback.")
        var feedback = false
        @Option(help: "With --captures: the task of calls that name none.")
        var task: String?
        @Option(help: "With --feedback: whose word it is, where a record does not say.")
        var source = "imported"
        @Option(help: "With --feedback: what that source is: user, program, reviewer or expert.")
        var role = SourceRole.program
        @Flag(help: "With these two: date records by their import, not by their own time.")
        var asOfNow = false
        @Flag(help: "For examinations alone: nothing may train on it.")
        var golden = false
        @Flag(help: "Leave out rows that are copies, exact or near, of golden ones.")
        var withoutGolden = false
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard !golden || !withoutGolden else {
                throw ValidationError("--golden and --without-golden exclude each other.")
            }
            guard [name != nil, captures, feedback].count(where: \.self) == 1 else {
                throw ValidationError(
                    "Give --name for a dataset, --captures for calls, or --feedback for what was said."
                )
            }
            guard name != nil || !golden && !withoutGolden else {
                throw ValidationError("--golden and --without-golden are of datasets.")
            }
            guard name == nil || task == nil && !asOfNow else {
                throw ValidationError("--task and --as-of-now are of --captures and --feedback.")
            }
        }

        func run(on database: Database) async throws {
            guard let name else {
                return try await feedback
                    ? importFeedback(to: database) : importCalls(to: database)
            }
            let record = try await database.importDataset(
                files, name: name, isGolden: golden, withoutGolden: withoutGolden)
            try output.print(try JSONValue(encoding: record)) {
                print(
                    Terminal.output.isInteractive
                        ? "\(name) version \(record.version): \(Formatting.count(record.rows)) rows "
                            + "of shape \(record.shape), \(Formatting.bytes(record.bytes)), "
                            + "\(record.digest)"
                        : "\(name)@\(record.digest)")
            }
        }

        private func importFeedback(to database: Database) async throws {
            let imported = try await FeedbackImporter(
                database: database, source: source, role: role, isDatedNow: asOfNow
            ).add(files)
            try output.print(try JSONValue(encoding: imported)) {
                print(
                    "\(Formatting.count(imported.feedback)) said, \(Formatting.count(imported.new)) of "
                        + "it new, \(Formatting.count(imported.settled)) joined with their calls")
            }
        }

        private func importCalls(to database: Database) async throws {
            let imported = try await CallImporter(
                database: database, task: task, isDatedNow: asOfNow
            ).add(files)
            let tasks = imported.tasks.sorted { $0.key < $1.key }
            output.print([
                "calls": .integer(Int64(imported.calls)), "new": .integer(Int64(imported.new)),
                "tasks": .object(imported.tasks.mapValues { .integer(Int64($0)) }),
            ]) {
                print(
                    "\(Formatting.count(imported.calls)) calls, \(Formatting.count(imported.new)) of "
                        + "them new; by task: "
                        + tasks.map { "\($0.key) \(Formatting.count($0.value))" }
                        .joined(separator: ", "))
            }
        }
    }

    struct Export: DatabaseCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a dataset's rows as JSONL.",
            discussion: """
                Conversations and pairs of answers come in OpenAI's form. Imported again, they are the \
                same dataset.
                """)

        @Argument(help: DatasetOnDisk.help) var dataset: String
        @Argument(
            help: "A file, which must not exist yet; standard output without, or with -.",
            completion: .file(extensions: ["jsonl"]))
        var file: String?

        func run(on database: Database) async throws {
            let record = try await database.dataset(dataset)
            let artifacts = try database.artifacts
            try await artifacts.bring([record.digest])
            try artifacts.store.verify(record.digest)
            let path = artifacts.store.path(of: record.digest)
            if let file, file != "-" {
                try Files.copy(path, to: file)
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
    /// Adds the rows of `files` as a dataset, after reading and checking every one.
    ///
    /// - Parameter withoutGolden: leaves out rows that are copies of golden ones, and says how many.
    func importDataset(
        _ files: [String], name: String, isGolden: Bool, withoutGolden: Bool = false
    ) async throws -> DatasetRecord {
        guard SpecificationName.isValid(name) else {
            throw InputError(
                field: "--name", "`\(name)` is not a name", remedy: SpecificationName.rule)
        }
        var rows = try DatasetFile.rows(
            of: files.map { file in
                file == "-"
                    ? ("standard input", Array(FileHandle.standardInput.readDataToEndOfFile()))
                    : (file, try DatasetFile.text(at: file))
            }, ending: .any)
        if isGolden { try Self.checkNames(rows) }
        if withoutGolden {
            let (kept, left) = try await GoldenGuard(self).without(rows)
            rows = kept
            if left > 0 {
                Terminal.note("\(left) rows are copies of golden ones and were left out.")
            }
        }
        let artifacts = try self.artifacts
        let (digest, bytes) = try artifacts.store.add(DatasetFile.jsonl(rows))
        try await artifacts.keep([digest])
        let record = try await registry.add(
            NewDataset(
                name: name, digest: digest, shape: rows[0].content.shape.rawValue,
                rows: rows.count, bytes: Int64(bytes), isGolden: isGolden,
                card: try JSONValue(encoding: DatasetCard(of: rows)),
                source: files.map { $0 == "-" ? $0 : URL(fileURLWithPath: $0).path }
                    .joined(separator: " ")))
        if record.isGolden != isGolden {
            throw InputError(
                field: "--golden",
                "the same rows are \(record.title), "
                    + (record.isGolden ? "a golden set" : "no golden set"),
                remedy: "Nothing was changed. Take another name.")
        }
        return record
    }

    /// Makes sure that a verdict can be kept by the name of its row.
    private static func checkNames(_ rows: [DatasetRow]) throws(InputError) {
        var numbers: [String: Int] = [:]
        for (index, row) in rows.enumerated() {
            if let other = numbers.updateValue(index + 1, forKey: row.id) {
                throw InputError(
                    field: "id", "the rows \(other) and \(index + 1) are both called \"\(row.id)\"",
                    remedy: "Nothing was read. Verdicts are kept by the names of golden rows.")
            }
        }
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

extension SourceRole: ExpressibleByArgument {}
