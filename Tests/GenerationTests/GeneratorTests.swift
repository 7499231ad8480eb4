import Foundation
import Generation
import Models
import TestSupport
import Testing

@Suite struct Generators {
    static let configuration = LlamaConfiguration(
        hidden: 48, layers: 3, heads: 6, keyValueHeads: 2, intermediate: 80, vocabulary: 97,
        positionsMax: 300, initializerRange: 0.25)

    static func model() -> Llama {
        let model = Llama(configuration: configuration, rowTokensMax: 300, isTraining: false)
        model.initialize(seed: 3)
        return model
    }

    /// Prompts of 1 to 90 tokens.
    static func prompts(_ count: Int) -> [[Int32]] {
        var numbers = SeededNumbers(seed: 5)
        return (0..<count).map { index in
            (0...(index * 37 % 90)).map { _ in Int32(numbers.integer(in: 0..<97)) }
        }
    }

    @Test(arguments: [
        Sampling(maxTokens: 40), Sampling(maxTokens: 40, temperature: 0.9, stop: [1, 2, 3]),
        Sampling(maxTokens: 40, temperature: 1.3, topK: 20, topP: 0.8),
    ])
    func `an answer does not depend on the batch`(sampling: Sampling) throws {
        let model = Self.model()
        let prompts = Self.prompts(70)
        let together = try Generator(model: model).generate(prompts: prompts, sampling: sampling)
        // Chance belongs to a prompt's index, so everybody keeps theirs.
        let crowded = try Generator(model: model, rowTokensMax: 48, sequencesMax: 7)
            .generate(prompts: prompts, sampling: sampling)
        #expect(together == crowded)
        for index in [0, 1, 33, 69] where sampling.temperature == 0 || index == 0 {
            let alone = try Generator(model: model, rowTokensMax: 100, sequencesMax: 1)
                .generate(prompts: [prompts[index]], sampling: sampling)
            #expect(alone == [together[index]], "prompt \(index)")
        }
    }

    @Test(arguments: [0, 0.6, 1.4])
    func `log-probabilities are those of scoring the whole text`(temperature: Double) throws {
        let model = Self.model()
        let prompts = Self.prompts(20)
        let answers = try Generator(model: model).generate(
            prompts: prompts, sampling: Sampling(maxTokens: 50, temperature: temperature, seed: 9))
        for (prompt, answer) in zip(prompts, answers) {
            let tokens = prompt + answer.tokens
            let row = PackedRow(
                tokens: tokens, documentStarts: [0], targets: tokens.dropFirst() + [0],
                weights: tokens.map { _ in 0 })
            let scores = model.logProbabilities(of: row)[(prompt.count - 1)...]
                .prefix(answer.tokens.count)
            #expect(scores.map(\.bitPattern) == answer.logProbabilities.map(\.bitPattern))
        }
    }

    @Test func `an answer ends with its stop token, or at its length`() throws {
        let model = Self.model()
        let free = try Generator(model: model).generate(
            prompts: Self.prompts(8), sampling: Sampling(maxTokens: 30))
        #expect(free.allSatisfy { $0.tokens.count == 30 && $0.finish == .length })
        let stop = free[0].tokens[10]
        let stopped = try Generator(model: model).generate(
            prompts: Self.prompts(8), sampling: Sampling(maxTokens: 30, stop: [stop]))
        for (free, stopped) in zip(free, stopped) {
            let end = free.tokens.firstIndex(of: stop).map { $0 + 1 }
            #expect(stopped.tokens == Array(free.tokens.prefix(end ?? 30)))
            #expect(stopped.finish == (end == nil ? .length : .stop))
        }
        let none = try Generator(model: model).generate(
            prompts: Self.prompts(2), sampling: Sampling(maxTokens: 0))
        #expect(none.allSatisfy { $0.tokens.isEmpty && $0.finish == .length })
    }

    @Test func `positions end an answer, and prompts that cannot be read are refused`() throws {
        let generator = Generator(model: Self.model())
        let long = [Int32](repeating: 7, count: 295)
        let answers = try generator.generate(prompts: [long], sampling: Sampling(maxTokens: 50))
        #expect(answers[0].tokens.count == 5 && answers[0].finish == .length)
        for prompt in [[], [1, 97], [-1], [Int32](repeating: 7, count: 301)] as [[Int32]] {
            #expect(throws: (any Error).self) {
                try generator.generate(prompts: [[1], prompt], sampling: Sampling(maxTokens: 1))
            }
        }
    }

    @Test func `seeds differ, and tokens follow their probabilities`() throws {
        let model = Self.model()
        let prompts = [[Int32]](repeating: [5, 6], count: 4000)
        let sampling = Sampling(maxTokens: 1, temperature: 1, seed: 1)
        let answers = try Generator(model: model).generate(prompts: prompts, sampling: sampling)
        var other = sampling
        other.seed = 2
        #expect(try Generator(model: model).generate(prompts: prompts, sampling: other) != answers)
        let counts = Dictionary(grouping: answers, by: { $0.tokens[0] })
        for same in counts.values where same.count > 100 {
            let expected = 4000 * exp(Double(same[0].logProbabilities[0]))
            #expect(abs(Double(same.count) - expected) < 5 * expected.squareRoot())
        }
        other.topK = 1
        let best = try Generator(model: model).generate(prompts: [[5, 6]], sampling: other)
        let greedy = try Generator(model: model).generate(
            prompts: [[5, 6]], sampling: Sampling(maxTokens: 1))
        #expect(best == greedy)
    }
}
