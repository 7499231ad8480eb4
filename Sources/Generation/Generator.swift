public import FlywheelCore
public import Models
import Tensors

/// Continues prompts, many at a time; an answer does not depend on who else is in the batch.
///
/// Each pass takes one token of every sequence that is being answered, and as many prompt tokens as
/// then fit; a finished sequence leaves at once and the next prompt takes its place.
public final class Generator {
    private let model: Llama
    private let rowTokensMax: Int
    private let sequencesMax: Int

    /// Passes of up to `rowTokensMax` tokens over up to `sequencesMax` sequences.
    public init(model: Llama, rowTokensMax: Int = 512, sequencesMax: Int = 128) {
        self.model = model
        self.rowTokensMax = max(rowTokensMax, 1)
        self.sequencesMax = min(max(sequencesMax, 1), self.rowTokensMax)
    }

    /// An answer for each of `prompts`, in their order.
    ///
    /// Throws `InputError` for a prompt that is empty, longer than the model has positions for, or
    /// holds an id that is none of the vocabulary's, before anything is generated.
    public func generate(
        prompts: [[Int32]], sampling: Sampling
    ) throws(InputError) -> [Completion] {
        for (index, prompt) in prompts.enumerated() { try check(prompt, index) }
        let longest = prompts.map { length($0, sampling) }.max() ?? 0
        let decoder = LlamaDecoder(
            model, rowTokensMax: rowTokensMax, positionsMax: max(longest, 1))
        var answers = prompts.map { _ in
            Completion(tokens: [], logProbabilities: [], finish: .length)
        }
        var waiting = prompts.indices.filter { length(prompts[$0], sampling) > prompts[$0].count }[
            ...]
        var active: [Asked] = []
        while !waiting.isEmpty || !active.isEmpty {
            while active.count < sequencesMax, let index = waiting.popFirst() {
                let tokensMax = length(prompts[index], sampling)
                active.append(
                    Asked(
                        index: index, tokensMax: tokensMax, pending: prompts[index][...],
                        cache: LlamaCache(model.configuration, tokensMax: tokensMax)))
            }
            advance(&active, decoder, sampling, &answers)
            active.removeAll(where: \.isFinished)
        }
        return answers
    }

    private struct Asked {
        let index: Int
        /// Tokens of prompt and answer together, at most.
        let tokensMax: Int
        /// Tokens that the cache does not hold yet.
        var pending: ArraySlice<Int32>
        let cache: LlamaCache
        var isFinished = false
    }

    private func length(_ prompt: [Int32], _ sampling: Sampling) -> Int {
        min(prompt.count + max(sampling.maxTokens, 0), model.configuration.positionsMax)
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

    /// One pass: those who answer go first, then prompts, as far as there is room.
    private func advance(
        _ active: inout [Asked], _ decoder: LlamaDecoder, _ sampling: Sampling,
        _ answers: inout [Completion]
    ) {
        var room = rowTokensMax
        var continuations: [LlamaDecoder.Continuation] = []
        var scored: [Int] = []
        let answering = active.indices.filter { active[$0].pending.count == 1 }
        let prompting = active.indices.filter { active[$0].pending.count > 1 }
        for slot in answering + prompting where room > 0 {
            let tokens = active[slot].pending.prefix(room)
            room -= tokens.count
            active[slot].pending = active[slot].pending.dropFirst(tokens.count)
            let isScored = active[slot].pending.isEmpty
            if isScored { scored.append(slot) }
            continuations.append(
                .init(cache: active[slot].cache, tokens: Array(tokens), isScored: isScored))
        }
        var chosen: [(token: Int32, score: Double)] = []
        decoder.advance(continuations) { rows, logits in
            let places = scored[rows].map { slot in
                let index = active[slot].index
                return (index: index, position: answers[index].tokens.count)
            }
            let tokens = sample(places, logits, sampling)
            let scores = model.operations.logProbabilities(logits, targets: tokens, u: nil)
            chosen += zip(tokens, scores).map { (token: $0, score: $1) }
        }
        for (slot, choice) in zip(scored, chosen) {
            extend(&active[slot], by: choice, sampling, &answers[active[slot].index])
        }
    }

    /// A token for each row of logits: that of a prompt's index, at a position in its answer.
    private func sample(
        _ places: [(index: Int, position: Int)], _ logits: Tensor, _ sampling: Sampling
    ) -> [Int32] {
        guard sampling.temperature > 0 else { return model.operations.argmax(logits) }
        var plan = ArenaPlan()
        let place = plan.add(rows: logits.rows, columns: logits.columns)
        let arena = Arena(plan)
        let probabilities = arena[place]
        probabilities.copy(logits)
        model.operations.softmax(probabilities, scale: Float(1 / sampling.temperature))
        return places.enumerated().map { row, place in
            let counter = SIMD4(UInt32(place.position), UInt32(place.index), 0, 0)
            let weights = unsafe Array(probabilities.row(row))
            return sampling.choose(weights, Philox.uniform(counter, key: sampling.seed))
        }
    }

    private func extend(
        _ sequence: inout Asked, by choice: (token: Int32, score: Double), _ sampling: Sampling,
        _ answer: inout Completion
    ) {
        answer.tokens.append(choice.token)
        answer.logProbabilities.append(Float(choice.score))
        sequence.pending = [choice.token]
        if sampling.stop.contains(choice.token) {
            answer.finish = .stop
            sequence.isFinished = true
        } else if sequence.cache.tokens + 1 >= sequence.tokensMax {
            sequence.isFinished = true
        }
    }
}
