import Models
import Tensors
import Tokenizers

/// The passes of a batch: tokens in, logits out, a token chosen from each row of them.
final class GenerationPasses {
    private let decoder: SequenceDecoder
    /// A row of logits to work on, since the back end computes in memory of its own.
    private let arena: Arena
    private let scratch: Tensor
    /// How many tokens of each request the last pass computed.
    private(set) var tokens: [Int: Int] = [:]

    init(_ decoder: SequenceDecoder) {
        self.decoder = decoder
        var plan = ArenaPlan()
        let place = plan.add(rows: 1, columns: decoder.model.configuration.vocabulary)
        arena = Arena(plan)
        scratch = arena[place]
    }

    /// One pass, whose tokens are told to `body`: those who answer go first, then prompts, as far as
    /// there is room.
    func advance(_ active: inout [Answering], _ body: (GenerationStep) -> Void) {
        tokens = [:]
        var room = decoder.rowTokensMax
        var continuations: [SequenceDecoder.Continuation] = []
        var scored: [Int] = []
        let waiting = active.indices.filter { !active[$0].isFinished }
        let answering = waiting.filter { active[$0].pending.count == 1 }
        let prompting = waiting.filter { active[$0].pending.count > 1 }
        for slot in answering + prompting where room > 0 {
            let tokens = active[slot].pending.prefix(room)
            room -= tokens.count
            self.tokens[active[slot].request.ticket, default: 0] += tokens.count
            active[slot].pending = active[slot].pending.dropFirst(tokens.count)
            let isScored = active[slot].pending.isEmpty
            if isScored { scored.append(slot) }
            continuations.append(
                .init(cache: active[slot].cache, tokens: Array(tokens), isScored: isScored))
        }
        if continuations.isEmpty { return }
        var choices: [Choice] = []
        decoder.advance(continuations) { rows, logits in
            choices += choose(scored[rows].map { active[$0] }, logits)
        }
        for (slot, choice) in zip(scored, choices) { body(extend(&active[slot], by: choice)) }
    }

    private struct Choice {
        var token: Int32
        var score: Float
        var alternatives: [Completion.Alternative]
    }

    /// A token for each row of logits, which are overwritten.
    private func choose(_ asked: [Answering], _ logits: Tensor) -> [Choice] {
        let operations = decoder.model.operations
        let isPlain = asked.allSatisfy {
            $0.request.sampling.temperature == 0 && !$0.request.sampling.adjusts
        }
        let tokens =
            isPlain
            ? operations.argmax(logits)
            : asked.enumerated().map { choose($1, logits.rows($0..<$0 + 1)) }
        let (best, values) = alternatives(asked, logits, tokens)
        let scores = operations.logProbabilities(logits, targets: tokens, u: nil)
        return tokens.indices.map { row in
            // What a target's logit exceeds its log-probability by is the same for all of the row.
            let logSumExp = Double(values[row]) - scores[row]
            let alternatives = best[row].map { token, logit in
                Completion.Alternative(
                    token: token,
                    logProbability: Float(
                        token == tokens[row] ? scores[row] : Double(logit) - logSumExp))
            }
            return Choice(
                token: tokens[row], score: Float(scores[row]), alternatives: alternatives)
        }
    }

    /// The largest logits of each row, as many as are asked for, and that of the row's token.
    private func alternatives(
        _ asked: [Answering], _ logits: Tensor, _ tokens: [Int32]
    ) -> (best: [[(token: Int32, logit: Float)]], values: [Float]) {
        var best: [[(token: Int32, logit: Float)]] = []
        var values: [Float] = []
        for (row, token) in tokens.enumerated() {
            unsafe values.append(logits.row(row)[Int(token)])
            let count = asked[row].request.sampling.topLogprobs
            guard count > 0 else {
                best.append([])
                continue
            }
            let own = unsafe Array(logits.row(row))
            best.append(
                own.largest(count).map { (token: Int32($0), logit: own[$0]) })
        }
        return (best, values)
    }

    /// A token from one row of logits.
    private func choose(_ asked: Answering, _ logits: Tensor) -> Int32 {
        let operations = decoder.model.operations
        let sampling = asked.request.sampling
        scratch.copy(logits)
        if sampling.adjusts {
            var adjusted = unsafe Array(scratch.row(0))
            sampling.adjust(&adjusted, asked.history)
            _ = unsafe scratch.row(0).update(from: adjusted)
        }
        guard sampling.temperature > 0 else { return operations.argmax(scratch)[0] }
        operations.softmax(scratch, scale: Float(1 / sampling.temperature))
        let u = sampling.uniform(
            prompt: asked.request.prompt.key, sample: asked.sample,
            position: asked.answer.tokens.count)
        return unsafe sampling.choose(Array(scratch.row(0)), u)
    }

    private func extend(_ asked: inout Answering, by choice: Choice) -> GenerationStep {
        let sampling = asked.request.sampling
        asked.answer.tokens.append(choice.token)
        asked.answer.logProbabilities.append(choice.score)
        if sampling.topLogprobs > 0 { asked.answer.alternatives.append(choice.alternatives) }
        asked.pending = [choice.token]
        if sampling.penalizes { asked.history.append(choice.token) }
        let isStopToken = sampling.stop.contains(choice.token)
        var step = GenerationStep(ticket: asked.request.ticket, sample: asked.sample)
        step.choice = .init(token: choice.token, logProbability: choice.score)
        step.alternatives = choice.alternatives
        if !isStopToken { step.text = asked.text?.append(choice.token) ?? "" }
        if isStopToken || asked.text?.isStopped == true { asked.answer.finish = .stop }
        if asked.answer.finish == .stop || asked.cache.tokens + 1 >= asked.request.tokensMax {
            step.text += asked.finish()
            step.completion = asked.answer
        }
        return step
    }
}
