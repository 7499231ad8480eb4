import FlywheelCore
import Foundation
import Testing

/// Inputs that people get wrong, each put right but for one thing, through the command that reads it.
@Suite struct `A malformed input` {
    @Test func `of specifications is refused by line and field, and nothing is submitted`()
        async throws
    {
        try await Workplace.lend { place in
            try await place.importRows()
            for mistake in MalformedInputs.specifications {
                let path = try place.write(
                    mistake.made(in: Workplace.train + "\n"), to: "job.yaml")
                mistake.check(try await place.flywheel("submit", path), "job.yaml:")
            }
            #expect(try await place.flywheel("jobs", "list", "--json").json == [])
        }
    }

    @Test func `of JSONL rows is refused by line and field, and nothing is registered`()
        async throws
    {
        try await Workplace.lend { place in
            for mistake in MalformedInputs.rows {
                let path = try place.write(mistake.made(in: Workplace.rows), to: "rows.jsonl")
                mistake.check(
                    try await place.flywheel("data", "import", path, "--name", "rows"),
                    "rows.jsonl:")
            }
            #expect(try await place.flywheel("data", "list", "--json").json == [])
        }
    }

    @Test func `of safetensors headers is refused by field, and nothing is registered`()
        async throws
    {
        try await refuseImports(
            MalformedInputs.headers, of: "model.safetensors",
            bytes: { MalformedInputs.safetensors($0) })
    }

    @Test func `of configurations is refused by line and field, and nothing is registered`()
        async throws
    {
        try await refuseImports(
            MalformedInputs.configurations, of: "config.json", bytes: { Array($0.utf8) })
    }

    @Test func `of tokenizer files is refused by field, and nothing is registered`() async throws {
        try await refuseImports(
            MalformedInputs.tokenizers, of: "tokenizer.json", bytes: { Array($0.utf8) })
    }

    /// Imports a good model in which `name` holds each mistake in turn.
    private func refuseImports(
        _ mistakes: [MalformedInput], of name: String, bytes: (String) -> [UInt8]
    ) async throws {
        try await Workplace.lend { place in
            let folder = try ImportedModel.copy(to: place)
            for mistake in mistakes {
                try Data(bytes(mistake.made(in: try MalformedInputs.text(of: name))))
                    .write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
                mistake.check(
                    try await place.flywheel("models", "import", folder, "--name", "m"), name)
            }
            #expect(try await place.flywheel("models", "list", "--json").json == [])
            let kept = FileManager.default.subpaths(atPath: "\(place.folder)/artifacts") ?? []
            #expect(kept.allSatisfy { !$0.hasSuffix(".partial") }, "\(kept)")
        }
    }
}

/// One mistake: what of a good input it replaces, by what, and what the sentence must say.
struct MalformedInput: Sendable {
    var part: String
    var replacement: String
    var says: String

    init(_ part: String, _ replacement: String, _ says: String) {
        (self.part, self.replacement, self.says) = (part, replacement, says)
    }

    /// The good input with the mistake in it.
    func made(in text: String) -> String {
        let range = text.range(of: part)
        #expect(range != nil, "the good input has no \(part)")
        return range.map { text.replacingCharacters(in: $0, with: replacement) } ?? text
    }

    /// Whether the command refused as it must: one sentence that names the place, status 65.
    func check(_ command: Command, _ file: String) {
        let wrong: Comment = "\(replacement) gave \(command.status): \(command.error)"
        #expect(command.status == 65, wrong)
        #expect(command.output.isEmpty, wrong)
        #expect(command.error.hasPrefix("error: ") && command.error.contains(file), wrong)
        #expect(command.error.contains(says), wrong)
    }
}
