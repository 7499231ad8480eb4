import FlywheelCore
import Foundation
import Generation
import Models
import Tensors
import TestSupport
import Testing
import Tokenizers

@Suite struct Generators {
    static let configuration = TransformerConfiguration(
        hidden: 48, layers: 3, heads: 6, keyValueHeads: 2, intermediate: 80, vocabulary: 97,
        positionsMax: 300, initializerRange: 0.25)

    static func model(_ precision: Precision = .fp32) -> Transformer {
        let model = Transformer(
            configuration: configuration, rowTokensMax: 300, isTraining: false,
            precision: precision)
        model.initialize(seed: 3)
        return model
    }

    /// What this machine can compute in.
    static let precisions = Precision.allCases.filter { precision in
        precision.missing.map { print("\(precision) is not tested: \($0)") } == nil
    }

    /// Prompts of 1 to 90 tokens.
    static func prompts(_ count: Int) -> [[Int32]] {
        var numbers = SeededNumbers(seed: 5)
        return (0..<count).map { index in
            (0...(index * 37 % 90)).map { _ in Int32(numbers.integer(in: 0..<97)) }
        }
    }

    static let samplings: [Sampling] = {
        var busy = Sampling(maxTokens: 30, temperature: 1.3, seed: 8, stop: [1, 2], topK: 60)
        (busy.topP, busy.minP, busy.samples, busy.topLogprobs) = (0.95, 0.01, 3, 5)
        (busy.repetitionPenalty, busy.presencePenalty, busy.frequencyPenalty) = (1.2, 0.5, 0.3)
        busy.logitBias = [4: 2, 9: -100]
        return [
            Sampling(maxTokens: 40), Sampling(maxTokens: 40, temperature: 0.9, stop: [1, 2, 3]),
            Sampling(maxTokens: 40, temperature: 1.3, topK: 20, topP: 0.8), busy,
        ]
    }()

    @Test(arguments: samplings, precisions)
    func `an answer does not depend on the batch`(sampling: Sampling, precision: Precision) throws {
        let model = Self.model(precision)
        let prompts = Self.prompts(70).enumerated().map { Prompt($1, key: UInt64($0) << 33 | 7) }
        func answers(_ prompts: [Prompt], _ tokens: Int, _ sequences: Int) throws -> [[Completion]]
        {
            try Generator(model: model, rowTokensMax: tokens, sequencesMax: sequences)
                .generate(prompts, sampling: sampling)
        }
        let together = try answers(prompts, 512, 128)
        #expect(together.allSatisfy { $0.count == sampling.samples })
        #expect(try answers(prompts, 48, 7) == together)
        #expect(try answers(prompts.reversed(), 130, 33) == together.reversed())
        for index in [0, 1, 33, 69] {
            #expect(try answers([prompts[index]], 100, 1) == [together[index]], "prompt \(index)")
        }
    }

    @Test func `tokens are those of a plain reference that reads the whole text each time`() throws
    {
        let model = Self.model()
        var numbers = SeededNumbers(seed: 31)
        for round in 0..<40 {
            var sampling = Sampling.random(&numbers)
            sampling.samples = 2
            if round % 5 == 0 { sampling.temperature = 0 }
            let prompt = Prompt(Self.prompts(20)[round % 20], key: numbers.next())
            let reference = ReferenceSampler(sampling: sampling)
            let answers = try Generator(model: model).generate([prompt], sampling: sampling)
            for (sample, answer) in answers[0].enumerated() {
                var tokens: [Int32] = []
                while tokens.count < sampling.maxTokens {
                    let text = prompt.tokens + tokens
                    let row = PackedRow(
                        tokens: text, documentStarts: [0], targets: text,
                        weights: text.map { _ in 0 })
                    let logits = reference.adjusted(
                        model.logits(of: row)[text.count - 1], prompt: prompt.tokens,
                        answer: tokens)
                    if sampling.temperature == 0 {
                        tokens.append(Int32(logits.firstIndex(of: logits.max() ?? 0) ?? -1))
                        continue
                    }
                    let u = sampling.uniform(
                        prompt: prompt.key, sample: sample, position: tokens.count)
                    let left = reference.filtered(reference.softmax(logits))
                    tokens.append(reference.choice(left, u))
                }
                #expect(answer.tokens == tokens, "\(sampling)")
            }
        }
    }

    @Test func `alternatives are the most probable tokens under the model's own distribution`()
        throws
    {
        let model = Self.model()
        var sampling = Self.samplings[3]
        (sampling.samples, sampling.stop) = (1, [])
        let prompts = Self.prompts(12)
        for (prompt, answer) in zip(
            prompts, try Generator(model: model).generate(prompts: prompts, sampling: sampling))
        {
            let text = prompt + answer.tokens
            #expect(answer.alternatives.count == answer.tokens.count)
            for (offset, alternatives) in answer.alternatives.enumerated() where offset % 7 == 0 {
                let past = text.prefix(prompt.count + offset)
                let scores = (0..<Int32(97)).map { token in
                    model.logProbabilities(
                        of: PackedRow(
                            tokens: past + [token], documentStarts: [0],
                            targets: past.dropFirst() + [token, 0],
                            weights: [Float](repeating: 0, count: past.count + 1)))[past.count - 1]
                }
                let best = scores.largest(5)
                #expect(alternatives.map(\.token) == best.map { Int32($0) })
                #expect(alternatives.map(\.logProbability) == best.map { scores[$0] })
            }
        }
    }

    @Test func `a stop text ends an answer, which streams as it is`() throws {
        let configuration = TransformerConfiguration(
            hidden: 32, layers: 2, heads: 4, keyValueHeads: 2, intermediate: 64,
            vocabulary: AnswerTexts.tokenizer.vocabularySize, positionsMax: 300,
            initializerRange: 0.4)
        let model = Transformer(configuration: configuration, rowTokensMax: 64, isTraining: false)
        model.initialize(seed: 9)
        let tokenizer = AnswerTexts.tokenizer
        let prompts = (0..<40).map { Prompt([Int32(40 + $0)], key: UInt64($0)) }
        var sampling = Sampling(maxTokens: 60, temperature: 1, seed: 2)
        let free = try Generator(model: model).generate(
            prompts, sampling: sampling, tokenizer: tokenizer)
        for answer in free.joined() { #expect(answer.text == tokenizer.decode(answer.tokens)) }
        sampling.stopTexts = ["e", "END", "本"]
        var streamed = [String](repeating: "", count: 40)
        let cut = try Generator(model: model).generate(
            prompts, sampling: sampling, tokenizer: tokenizer
        ) { prompt, _, text in streamed[prompt] += text }
        for (index, (free, cut)) in zip(free.joined(), cut.joined()).enumerated() {
            let text = AnswerTexts.cut(free.text ?? "", sampling.stopTexts)
            #expect(cut.text == text && streamed[index] == text)
            #expect(cut.tokens == Array(free.tokens.prefix(cut.tokens.count)))
            #expect((cut.finish == .stop) == (cut.tokens.count < 60 || cut.text != free.text))
            // No token more than the stop text needs.
            if cut.finish == .stop {
                let before = tokenizer.decode(cut.tokens.dropLast())
                #expect(AnswerTexts.cut(before, sampling.stopTexts) == before)
            }
        }
        #expect(cut.joined().count { $0.finish == .stop } > 10)
        #expect(throws: InputError.self) {
            try Generator(model: model).generate(prompts, sampling: sampling)
        }
    }

    @Test(arguments: [0, 0.6, 1.4], precisions)
    func `log-probabilities are those of scoring the whole text`(
        temperature: Double, precision: Precision
    ) throws {
        let model = Self.model(precision)
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
        var several = Sampling(maxTokens: 3, temperature: 1)
        several.samples = 4
        let full = Prompt([Int32](repeating: 7, count: 300), key: 1)
        let mixed = try generator.generate([full, Prompt([5], key: 2)], sampling: several)
        #expect(mixed.map { $0.map(\.tokens.count) } == [[0, 0, 0, 0], [3, 3, 3, 3]])
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
