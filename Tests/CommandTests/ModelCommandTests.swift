import FlywheelCore
import Foundation
import TestSupport
import Testing

private let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]

private func numbers(_ list: JSONValue?) -> [Double] {
    (list?.array ?? []).compactMap { $0.number }
}

@Suite struct ModelCommands {
    @Test(.enabled(if: data != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
    func `a folder continues tokens as recorded and scores what it wrote, without a database`()
        async throws
    {
        let folder = "\(data ?? "")/stories260k"
        let record = try JSONValue(
            parsing: try Data(contentsOf: URL(fileURLWithPath: "\(folder)/reference_outputs.json")))
        let greedy = try #require(record["greedy"]?[0])
        let prompt = try #require(greedy["prompt_ids"])
        let ids = try #require(greedy["ids"]?.array)
        let answer = ids.dropFirst(prompt.array?.count ?? 0)
        try await temporaryFolder { place in
            let rows = "\(place)/rows.jsonl"
            try Data("{\"tokens\": \(prompt.canonical)}\n".utf8)
                .write(to: URL(fileURLWithPath: rows))
            let made = try await Command.flywheel(
                "models", "generate", folder, "--input", rows, "--max-tokens", "\(answer.count)",
                "--json")
            #expect(made.status == 0, "\(made.error)")
            #expect(made.json?["tokens"]?.array == Array(answer))

            try Data("{\"tokens\": \(JSONValue.array(ids).canonical)}\n".utf8)
                .write(to: URL(fileURLWithPath: rows))
            let scored = try await Command.flywheel(
                "models", "score", folder, "--input", rows, "--json")
            #expect(scored.status == 0, "\(scored.error)")
            #expect(scored.json?["tokens"]?.array == ids)
            let logprobs = numbers(scored.json?["logprobs"])
            #expect(logprobs.count == ids.count - 1)
            let written = numbers(made.json?["logprobs"])
            #expect(written.count == answer.count)
            for (a, b) in zip(logprobs.suffix(answer.count), written) {
                #expect(abs(a - b) < 1e-4)
            }
        }
    }

    @Test(.enabled(if: data != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
    func `greedy stories and likelihoods of texts are those recorded`() async throws {
        let folder = "\(data ?? "")/stories260k"
        let record = try JSONValue(
            parsing: try Data(contentsOf: URL(fileURLWithPath: "\(folder)/reference_outputs.json")))
        try await temporaryFolder { place in
            for story in record["greedy"]?.array ?? [] {
                let prompt = try #require(story["prompt"]?.string)
                let ids = try #require(story["ids"]?.array)
                let answer = Array(ids.dropFirst(story["prompt_ids"]?.array?.count ?? 0))
                let made = try await Command.flywheel(
                    "models", "generate", folder, "--prompt", prompt, "--max-tokens",
                    "\(answer.count)", "--json")
                #expect(made.json?["tokens"]?.array == answer, "\(made.error)")
                // Alone, an answer loses the blank between it and its prompt.
                let text = story["text"]?.string?.dropFirst(prompt.count) ?? ""
                #expect(made.json?["text"]?.string == String(text.drop { $0 == " " }))
            }
            let rows = "\(place)/rows.jsonl"
            let texts = record["likelihood"]?.array ?? []
            let lines = texts.map { "{\"text\": \($0["text"]?.canonical ?? "")}" }
            try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: rows))
            let scored = try await Command.flywheel(
                "models", "score", folder, "--input", rows, "--json")
            for (text, line) in zip(texts, scored.output.split(separator: "\n")) {
                #expect(try JSONValue(parsing: line.utf8)["tokens"] == text["ids"])
            }
            #expect(!texts.isEmpty && scored.output.count { $0 == "\n" } == texts.count)
        }
    }

    @Test(.enabled(if: data != nil, "set FLYWHEEL_TEST_DATA to the folder of test data"))
    func `likelihoods are those recorded`() async throws {
        let folder = "\(data ?? "")/stories260k"
        let record = try JSONValue(
            parsing: try Data(contentsOf: URL(fileURLWithPath: "\(folder)/reference_outputs.json")))
        let texts = record["likelihood"]?.array ?? []
        #expect(!texts.isEmpty)
        try await temporaryFolder { place in
            let rows = "\(place)/rows.jsonl"
            let lines = texts.map { "{\"tokens\": \($0["ids"]?.canonical ?? "")}" }
            try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: rows))
            let scored = try await Command.flywheel(
                "models", "score", folder, "--input", rows, "--json")
            let answers = scored.output.split(separator: "\n")
            #expect(answers.count == texts.count)
            for (text, answer) in zip(texts, answers) {
                let logprobs = numbers(try JSONValue(parsing: answer.utf8)["logprobs"])
                let mean = -logprobs.reduce(0, +) / Double(logprobs.count)
                #expect(abs(mean - (text["mean_nll"]?.number ?? 0)) < 1e-5)
            }
        }
    }

    @Test func `a folder that holds no model is said to hold none`() async throws {
        try await temporaryFolder { place in
            let rows = "\(place)/rows.jsonl"
            try Data("{\"tokens\": [1, 2]}\n".utf8).write(to: URL(fileURLWithPath: rows))
            let scored = try await Command.flywheel("models", "score", place, "--input", rows)
            #expect(scored.status == 65)
            #expect(scored.error.contains("there is no config.json in it"))
            let both = try await Command.flywheel(
                "models", "generate", place, "--input", rows, "--prompt", "a")
            #expect(both.status == 64)
        }
    }
}
