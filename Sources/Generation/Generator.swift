public import FlywheelCore
public import Models
public import Tokenizers

/// Continues prompts, many at a time; an answer does not depend on who else is in the batch.
///
/// Each pass takes one token of every sequence that is being answered, and as many prompt tokens as
/// then fit; a finished sequence leaves at once and the next prompt takes its place. Samples of one
/// prompt read it once.
public final class Generator {
    /// Called with text that is certain: whole characters of an answer, none of a stop text.
    public typealias Stream = (_ prompt: Int, _ sample: Int, _ text: String) -> Void

    private let model: Transformer
    private let rowTokensMax: Int
    private let sequencesMax: Int

    /// Passes of up to `rowTokensMax` tokens over up to `sequencesMax` sequences.
    public init(model: Transformer, rowTokensMax: Int = 512, sequencesMax: Int = 128) {
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
        let batch = GenerationBatch(
            model: model, rowTokensMax: rowTokensMax, sequencesMax: sequencesMax,
            positionsMax: prompts.map { $0.tokens.count + sampling.maxTokens }.max() ?? 1)
        try batch.check(sampling, hasTokenizer: tokenizer != nil)
        for (index, prompt) in prompts.enumerated() {
            try batch.check(prompt.tokens, field: "prompts[\(index)]")
        }
        var answers: [[Completion?]] = prompts.map { _ in
            Array(repeating: nil, count: sampling.samples)
        }
        for prompt in prompts { batch.add(prompt, sampling: sampling, tokenizer: tokenizer) }
        while !batch.isEmpty {
            // Tickets are counted from 0: here they are the prompts' indices.
            batch.advance { step in
                if !step.text.isEmpty { stream?(step.ticket, step.sample, step.text) }
                if let completion = step.completion {
                    answers[step.ticket][step.sample] = completion
                }
            }
        }
        return answers.map { $0.compactMap(\.self) }
    }
}
