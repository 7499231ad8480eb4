import FlywheelCore
import Foundation
import TestSupport
import Testing

private let data = ProcessInfo.processInfo.environment["FLYWHEEL_TEST_DATA"]

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
            let logprobs = try #require(scored.json?["logprobs"]?.array?.compactMap(\.number))
            #expect(logprobs.count == ids.count - 1)
            let written = try #require(made.json?["logprobs"]?.array?.compactMap(\.number))
            for (a, b) in zip(logprobs.suffix(answer.count), written) {
                #expect(abs(a - b) < 1e-4)
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
