public import FlywheelCore
public import Models
import Tensors
public import Tokenizers

/// Continues prompts, many at a time; an answer does not depend on who else is in the batch.
///
/// Each pass takes one token of every sequence that is being answered, and as many prompt tokens as
/// then fit; a finished sequence leaves at once and the next prompt takes its place. Samples of one
/// prompt read it once.
public final class Generator {
    /// Called with text that is certain: whole characters of an answer, none of a stop text.
    public typealias Stream = (_ prompt: Int, _ sample: Int, _ text: String) -> Void

    private let model: Llama
    private let rowTokensMax: Int
    private let sequencesMax: Int

    /// Passes of up to `rowTokensMax` tokens over up to `sequencesMax` sequences.
    public init(model: Llama, rowTokensMax: Int = 512, sequencesMax: Int = 128) {
        self.model = model
        self.rowTokensMax = max(rowTokensMax, 1)
        self.sequencesMax = min(max(sequencesMax, 1), self.rowTokensMax)
    }

    /// An answer for each of `prompts`, in their order; a prompt's key is its index.
    ///
    /// Throws as the other `generate`.
    public func generate(
        prompts: [[Int32]], sampling: Sampling
    ) throws(InputError) -> [Completion] {
        let keyed = prompts.enumerated().map { Prompt($1, key: UInt64($0)) }
        return try generate(keyed, sampling: sampling).compactMap(\.first)
    }

    /// `sampling.samples` answers for each of `prompts`, in their order.
    ///
    /// With a `tokenizer` they have texts, which `stream`, where given, hears as they come. Throws
    /// `InputError`, before anything is generated, for a number of `sampling` outside its range, stop
    /// texts without a tokenizer, and a prompt that is empty, longer than the model has positions for,
    /// or holds an id that is none of the vocabulary's.
    public func generate(
        _ prompts: [Prompt], sampling: Sampling, tokenizer: Tokenizer? = nil,
        stream: Stream? = nil
    ) throws(InputError) -> [[Completion]] {
        try check(sampling, hasTokenizer: tokenizer != nil)
        for (index, prompt) in prompts.enumerated() { try check(prompt.tokens, index) }
        let longest = prompts.map { length($0, sampling) }.max() ?? 0
        let passes = GeneratorPasses(
            LlamaDecoder(model, rowTokensMax: rowTokensMax, positionsMax: max(longest, 1)),
            sampling, stream)
        var queue = AnsweringQueue(prompts: prompts.count, samples: sampling.samples)
        var active: [Answering] = []
        var answers: [[Completion?]] = prompts.map { _ in
            Array(repeating: nil, count: sampling.samples)
        }
        while true {
            while active.count < sequencesMax, let place = queue.pop() {
                let prompt = prompts[place.prompt]
                active.append(
                    Answering(
                        prompt, at: place, tokensMax: length(prompt, sampling),
                        model.configuration,
                        text: tokenizer.map { AnswerText($0, stops: sampling.stopTexts) }))
            }
            if active.isEmpty { break }
            passes.advance(&active)
            for it in active {
                queue.follow(it)
                if it.isFinished {
                    answers[it.place.prompt][it.place.sample] = passes.completion(of: it)
                }
            }
            active.removeAll(where: \.isFinished)
        }
        return answers.map { $0.compactMap(\.self) }
    }

    /// Tokens of prompt and answer together, at most.
    private func length(_ prompt: Prompt, _ sampling: Sampling) -> Int {
        min(prompt.tokens.count + sampling.maxTokens, model.configuration.positionsMax)
    }

    private func check(_ sampling: Sampling, hasTokenizer: Bool) throws(InputError) {
        try sampling.check()
        let vocabulary = model.configuration.vocabulary
        if let id = sampling.logitBias.keys.filter({ $0 < 0 || $0 >= vocabulary }).min() {
            throw InputError(
                field: "logitBias", "\(id) is no id of a vocabulary of \(vocabulary)",
                remedy: "Nothing was generated.")
        }
        if !sampling.stopTexts.isEmpty, !hasTokenizer {
            throw InputError(
                field: "stopTexts", "without a tokenizer there is no text to find them in",
                remedy: "Nothing was generated. Give ids of stop tokens, or a tokenizer.")
        }
    }

    private func check(_ prompt: [Int32], _ index: Int) throws(InputError) {
        let configuration = model.configuration
        let remedy = "Nothing was generated."
        if prompt.isEmpty {
            throw InputError(field: "prompts[\(index)]", "the prompt has no tokens", remedy: remedy)
        }
        if prompt.count > configuration.positionsMax {
            throw InputError(
                field: "prompts[\(index)]",
                "\(prompt.count) tokens are more than the model's \(configuration.positionsMax) positions",
                remedy: remedy + " Shorten the prompt.")
        }
        if let id = prompt.first(where: { $0 < 0 || $0 >= configuration.vocabulary }) {
            throw InputError(
                field: "prompts[\(index)]",
                "\(id) is no id of a vocabulary of \(configuration.vocabulary)", remedy: remedy)
        }
    }
}
