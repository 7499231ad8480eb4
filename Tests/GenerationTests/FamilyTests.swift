import Foundation
import Generation
import Models
import Testing

/// Answers of a small random model of each family, longer than its window, as transformers gives
/// them in fp64: recorded by `scripts/goldens/families.py`.
@Suite struct FamilyAnswers {
    struct Expected: Decodable { var greedy: [Int32] }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Goldens/families").path

    static let names =
        (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? []

    @Test(arguments: names)
    func `greedy answers are the recorded ones, with the bits of scoring`(name: String) throws {
        let text = try Data(
            contentsOf: URL(fileURLWithPath: "\(Self.folder)/\(name)/expected.json"))
        let greedy = try JSONDecoder().decode(Expected.self, from: text).greedy
        let model = try Transformer(
            folder: "\(Self.folder)/\(name)", rowTokensMax: greedy.count, isTraining: false)
        let row = PackedRow(
            tokens: greedy, documentStarts: [0], targets: greedy.dropFirst() + [0],
            weights: greedy.map { _ in 1 })
        let scores = model.logProbabilities(of: row)

        // Prompts are read in pieces, alone and among others, and answered a token at a time.
        for (tokens, sequences) in [(7, 1), (64, 4)] {
            let prompts = [Array(greedy.prefix(20)), Array(greedy.prefix(45)), [5, 6, 7]]
            let answers = try Generator(
                model: model, rowTokensMax: tokens, sequencesMax: sequences
            ).generate(prompts: prompts, sampling: Sampling(maxTokens: greedy.count - 20))
            for (prompt, answer) in zip(prompts, answers).prefix(2) {
                let known = greedy.count - prompt.count
                #expect(answer.tokens.prefix(known).elementsEqual(greedy[prompt.count...]))
                #expect(
                    answer.logProbabilities.prefix(known)
                        .elementsEqual(scores[(prompt.count - 1)...].prefix(known)))
            }
        }
    }

    @Test func `there are families`() { #expect(Self.names.count >= 6) }
}
