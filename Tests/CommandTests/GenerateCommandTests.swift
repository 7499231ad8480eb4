import FlywheelCore
import Foundation
import TestSupport
import Testing

/// On a small model that Flywheel trained, with a tokenizer: `Tests/Goldens/export`.
@Suite struct `Generating at the command` {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens/export").path

    private static let rows = ["door", "naïve fox", "car", "tree"].map { thing in
        #"{"id": "\#(thing)", "messages": [{"role": "system", "content": "Name the colour."}, "#
            + #"{"role": "user", "content": "The \#(thing) is 青."}]}"#
    }

    /// The lines that answer `rows`, by id and sample.
    private func answers(_ rows: [String], _ options: String...) async throws
        -> [String: JSONValue]
    {
        try await temporaryFolder { place in
            let path = "\(place)/rows.jsonl"
            try Data(rows.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path))
            let made = try await Command.flywheel(
                ["models", "generate", Self.folder, "--input", path, "--json"] + options)
            #expect(made.status == 0, "\(made.error)")
            let lines = try made.output.split(separator: "\n").map {
                try JSONValue(parsing: $0.utf8)
            }
            return Dictionary(
                uniqueKeysWithValues: lines.map {
                    ("\($0["id"]?.string ?? "") \($0["sample"]?.integer ?? 0)", $0)
                })
        }
    }

    @Test func `a row is answered alike alone, in company and in another order`() async throws {
        func ask(_ rows: [String]) async throws -> [String: JSONValue] {
            try await answers(
                rows, "--temperature", "1.5", "--seed", "3", "--n", "3", "--max-tokens", "20",
                "--top-p", "0.98", "--repetition-penalty", "1.1")
        }
        let together = try await ask(Self.rows)
        #expect(together.count == 12)
        #expect(Set(together.values.compactMap { $0["text"]?.string }).count > 4)
        #expect(try await ask(Self.rows.reversed()) == together)
        for (id, answer) in try await ask([Self.rows[1]]) { #expect(answer == together[id]) }
    }

    @Test func `an answer tells its tokens, alternatives and why it ended`() async throws {
        let free = try await answers([Self.rows[0]], "--top-logprobs", "3")
        let answer = try #require(free["door 0"])
        #expect(answer["text"] == "青, the door" && answer["finish"] == "stop")
        // The end of a turn that generation_config.json names.
        #expect(answer["tokens"]?.array?.last == 318)
        let told = answer["top_logprobs"]?.array ?? []
        #expect(told.count == answer["tokens"]?.array?.count)
        for (index, alternatives) in told.enumerated() {
            #expect(alternatives.array?.count == 3)
            #expect(alternatives[0]?["id"] == answer["tokens"]?[index])
            #expect(alternatives[0]?["logprob"] == answer["logprobs"]?[index])
            #expect(alternatives[0]?["bytes"]?.array?.isEmpty == false)
        }
        let cut = try await answers([Self.rows[0]], "--stop", "zz", "--stop", "he d")
        #expect(cut["door 0"]?["text"] == "青, t" && cut["door 0"]?["finish"] == "stop")
        let short = try await answers([Self.rows[0]], "--max-tokens", "2")
        #expect(short["door 0"]?["finish"] == "length")
        let biased = try await answers(
            [Self.rows[0]], "--logit-bias", "318=100", "--top-logprobs", "1")
        #expect(biased["door 0"]?["tokens"] == [318] && biased["door 0"]?["text"] == "")
        // Alternatives are the model's own, whatever was added.
        #expect(biased["door 0"]?["top_logprobs"]?[0]?[0] == told[0][0])
    }

    @Test func `on a terminal an answer is typed as it comes, in whole characters`() async throws {
        let typed = try await Command.flywheelOnTerminal(
            "models", "generate", Self.folder, "--prompt", "The tree is 青.", "--max-tokens", "24")
        let piped = try await Command.flywheel(
            "models", "generate", Self.folder, "--prompt", "The tree is 青.", "--max-tokens", "24")
        #expect(piped.status == 0 && piped.output.count > 4)
        #expect(typed.output.replacing("\r\n", with: "\n") == piped.output)
    }

    @Test(arguments: [
        ["--top-p", "0"], ["--top-k", "0"], ["--min-p", "2"], ["--logit-bias", "7"],
        ["--logit-bias", "7=101"], ["--n", "0"], ["--n", "2"], ["--presence-penalty=-3"],
        ["--repetition-penalty", "0"], ["--top-logprobs", "21"], ["--stop", ""],
        ["--max-tokens", "0"], ["--temperature=-1"],
    ])
    func `numbers outside their range are wrong usage`(options: [String]) async throws {
        let refused = try await Command.flywheel(
            ["models", "generate", Self.folder, "--prompt", "a"] + options)
        #expect(refused.status == 64)
        let flag = options[0].prefix { $0 != "=" }
        #expect(refused.error.contains(flag), "\(refused.error)")
    }

    @Test func `an id that the vocabulary lacks is bad input`() async throws {
        let refused = try await Command.flywheel(
            "models", "generate", Self.folder, "--prompt", "a", "--logit-bias", "320=1")
        #expect(refused.status == 65)
        #expect(refused.error.contains("320 is no id of a vocabulary of 320"), "\(refused.error)")
    }
}
