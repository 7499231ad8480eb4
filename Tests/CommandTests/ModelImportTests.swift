import FlywheelCore
import Foundation
import Testing

private let testData = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]

/// A model to import.
enum ImportedModel {
    /// A small Llama that transformers wrote.
    static let golden = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens/llama").path

    /// A folder in `place` with the model's files, to be changed.
    static func copy(to place: Workplace) throws -> String {
        let folder = place.folder + "/model"
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        for name in ["config.json", "model.safetensors"] {
            try FileManager.default.copyItem(
                atPath: "\(golden)/\(name)", toPath: "\(folder)/\(name)")
        }
        return folder
    }
}

@Suite struct `Importing a model` {
    @Test func `adds it, promotes it and undoes that`() async throws {
        try await Workplace.lend { place in
            let folder = try ImportedModel.copy(to: place)
            for version in 1...2 {
                #expect(
                    try await place.flywheel("models", "import", folder, "--name", "m").status == 0)
                let promoted = try await place.flywheel("models", "promote", "m@\(version)")
                #expect(promoted.status == 0, "\(promoted.error)")
            }
            #expect(try await place.flywheel("models", "rollback", "m").status == 0)
            let models = try await place.flywheel("models", "list", "--json").json?.array ?? []
            #expect(models.map { $0["stage"] } == ["promoted", "retired"])
            let out = place.folder + "/out"
            let exported = try await place.flywheel("models", "export", "m@1", out, "--json")
            #expect(exported.status == 0 && exported.json?["model"] == "m@1")
            #expect(exported.json?["files"]?["config.json"]?.string?.count == 64)
            #expect(
                try Digest(ofFile: out + "/model.safetensors")
                    == Digest(ofFile: folder + "/model.safetensors"))
        }
    }

    /// Transformers writes tensors in order of their names, and so do we: the digest of a model does not
    /// depend on how it came.
    @Test func `in shards makes it the one file that transformers would have written`() async throws
    {
        let shards = ImportedModel.golden + "/shards"
        let whole = try Digest(ofFile: ImportedModel.golden + "/model.safetensors")
        try await Workplace.lend { place in
            let imported = try await place.flywheel(
                "models", "import", shards, "--name", "m", "--json")
            #expect(imported.status == 0, "\(imported.error)")
            #expect(imported.json?["digest"]?.string == whole.hex)
            let out = place.folder + "/out"
            #expect(try await place.flywheel("models", "export", "m", out).status == 0)
            let names = try FileManager.default.contentsOfDirectory(atPath: out).sorted()
            #expect(names == ["config.json", "generation_config.json", "model.safetensors"])

            let rows = try place.write("{\"tokens\": [1, 5, 9, 33, 60]}\n", to: "tokens.jsonl")
            for command in [["score"], ["generate", "--max-tokens", "9"]] {
                let options = command.dropFirst() + ["--input", rows, "--json"]
                var said: Set<String> = []
                for model in ["m", shards, ImportedModel.golden] {
                    let made = try await Command.flywheel(
                        ["models", command[0], model] + options, in: place.variables)
                    #expect(made.status == 0, "\(made.error)")
                    said.insert(made.output)
                }
                #expect(said.count == 1)
            }
        }
    }

    @Test func `in shards of which one is missing names it`() async throws {
        try await Workplace.lend { place in
            let folder = place.folder + "/shards"
            try FileManager.default.copyItem(
                atPath: ImportedModel.golden + "/shards", toPath: folder)
            try FileManager.default.removeItem(
                atPath: folder + "/model-00002-of-00002.safetensors")
            let refused = try await place.flywheel("models", "import", folder, "--name", "m")
            #expect(refused.status == 65)
            #expect(
                refused.error.contains("model-00002-of-00002.safetensors"), "\(refused.error)")
            #expect(try await place.flywheel("models", "list", "--json").json == [])
        }
    }

    @Test(.enabled(if: testData != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
    func `converts a file of ranks, once and for all`() async throws {
        try await Workplace.lend { place in
            let folder = try ImportedModel.copy(to: place)
            try FileManager.default.copyItem(
                atPath: (testData ?? "") + "/tokenizers/llama3/tokenizer.model",
                toPath: folder + "/tokenizer.model")
            let imported = try await place.flywheel("models", "import", folder, "--name", "m")
            #expect(imported.status == 0, "\(imported.error)")
            let out = place.folder + "/out"
            #expect(try await place.flywheel("models", "export", "m", out).status == 0)
            let text = try place.write("It's Llama's.", to: "text.txt")
            var digests: [String?] = []
            for folder in [folder, out] {
                let measured = try await place.flywheel("bench", "tokenize", folder, text, "--json")
                digests.append(measured.json?["digest"]?.string)
            }
            #expect(digests[0] != nil && digests[0] == digests[1])
            #expect(FileManager.default.fileExists(atPath: out + "/tokenizer.json"))
        }
    }

    @Test(arguments: [
        ("tokenizer.model", "\u{A}SentencePiece's", "SentencePiece"),
        ("ranks.tiktoken", "YQ== 0", "no rank for the byte"),
    ])
    func `refuses other files of tokenizers, and registers nothing`(
        name: String, text: String, problem: String
    ) async throws {
        try await Workplace.lend { place in
            let folder = try ImportedModel.copy(to: place)
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            let refused = try await place.flywheel("models", "import", folder, "--name", "m")
            #expect(refused.status == 65)
            #expect(refused.error.contains(name) && refused.error.contains(problem))
            #expect(try await place.flywheel("models", "list", "--json").json == [])
        }
    }

    @Test func `refuses what could not be spoken to, and says what to do`() async throws {
        try await Workplace.lend { place in
            let folder = try ImportedModel.copy(to: place)
            _ = try place.write("{}", to: "model/vocab.json")
            let cut = try await place.flywheel("models", "import", folder, "--name", "m")
            #expect(cut.status == 65 && cut.error.contains("tokenizer.json"), "\(cut.error)")
            _ = try place.write(
                try MalformedInputs.text(of: "tokenizer.json"), to: "model/tokenizer.json")
            _ = try place.write("{{ messages | shuffle }}", to: "model/chat_template.jinja")
            let template = try await place.flywheel("models", "import", folder, "--name", "m")
            #expect(template.status == 65)
            #expect(template.error.contains("shuffle"), "\(template.error)")
            #expect(try await place.flywheel("models", "list", "--json").json == [])
        }
    }

    @Test func `an answer with a character that text cannot hold is no reason to fail`()
        async throws
    {
        try await Workplace.lend { place in
            let row =
                #"{"messages":[{"role":"user","content":"a"},"#
                + #"{"role":"assistant","content":"warm\u0000"}]}"#
            let rows = try place.write(row + "\n", to: "rows.jsonl")
            let imported = try await place.flywheel("data", "import", rows, "--name", "rows")
            #expect(imported.status == 0, "\(imported.error)")
            let named = try place.write(
                row.replacing("{\"messages\"", with: #"{"id":"a\u0000","messages""#) + "\n",
                to: "named.jsonl")
            let refused = try await place.flywheel("data", "import", named, "--name", "named")
            #expect(refused.status == 65)
            #expect(refused.error.contains("named.jsonl:1: id"), "\(refused.error)")
        }
    }
}
