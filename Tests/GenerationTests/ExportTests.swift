import FlywheelCore
import Foundation
import Generation
import Models
import TestSupport
import Testing
import Tokenizers

/// A model that Flywheel trained and exported, and what transformers computed with the folder:
/// written by `scripts/goldens/export.py`.
@Suite struct `An export` {
    struct Expected: Decodable {
        struct Case: Decodable {
            var text: String
            var ids: [Int32]
            /// Of the last positions, in fp64.
            var logits: [[Double]]
            var prompt: String
            var greedy: [Int32]
            var answer: String
        }
        var cases: [Case]
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Goldens/export").path

    let expected: [Expected.Case]
    let model: Transformer
    let tokenizer: Tokenizer

    init() throws {
        let text = try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/expected.json"))
        expected = try JSONDecoder().decode(Expected.self, from: text).cases
        model = try Transformer(folder: Self.folder, rowTokensMax: 128, isTraining: false)
        tokenizer = try Tokenizer(contentsOf: Self.folder + "/tokenizer.json")
    }

    @Test func `has the tokens and logits that transformers finds in it`() {
        #expect(expected.count == 3)
        for it in expected {
            #expect(tokenizer.encode(it.text).ids == it.ids)
            let row = PackedRow(
                tokens: it.ids, documentStarts: [0], targets: it.ids, weights: it.ids.map { _ in 0 }
            )
            for (own, theirs) in zip(model.logits(of: row).suffix(it.logits.count), it.logits) {
                let rms = (theirs.reduce(0) { $0 + $1 * $1 } / Double(theirs.count)).squareRoot()
                let worst =
                    zip(own, theirs).map { abs(Double($0) - $1) / max(abs($1), rms) }.max() ?? 1
                #expect(own.count == theirs.count && worst <= 1e-5, "\(worst)")
            }
        }
    }

    @Test func `answers greedily as transformers does`() throws {
        let prompts = expected.map { tokenizer.encode($0.prompt).ids }
        let keyed = prompts.map { Prompt($0, key: 0) }
        let answers = try Generator(model: model).generate(
            keyed, sampling: Sampling(maxTokens: 24, stop: Set(model.configuration.eos)),
            tokenizer: tokenizer)
        for (it, answer) in zip(expected, answers.joined()) {
            #expect(answer.tokens == it.greedy)
            #expect(answer.text == it.answer)
        }
    }

    @Test func `is written today as it was when transformers read it`() async throws {
        try await temporaryFolder { folder in
            try model.write(folder: folder)
            for name in ["config.json", "generation_config.json", "model.safetensors"] {
                #expect(
                    try Digest(ofFile: "\(folder)/\(name)")
                        == Digest(ofFile: "\(Self.folder)/\(name)"), "\(name)")
            }
        }
    }
}
