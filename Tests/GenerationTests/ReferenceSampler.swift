import Foundation
import Generation

/// Sampling by the book, in fp64 over whole vocabularies: transformers' processors one after the other.
///
/// Top-p removes, as `TopPLogitsWarper` does, the least probable tokens whose sum, from below, stays
/// within 1 − p.
struct ReferenceSampler {
    let sampling: Sampling

    /// Bias and penalties, for an `answer` after a `prompt`.
    func adjusted(_ logits: [Float], prompt: [Int32], answer: [Int32]) -> [Double] {
        logits.indices.map { token in
            var logit = Double(logits[token]) + (sampling.logitBias[Int32(token)] ?? 0)
            if (prompt + answer).contains(Int32(token)) {
                logit *=
                    logit < 0 ? sampling.repetitionPenalty : 1 / sampling.repetitionPenalty
            }
            let count = answer.filter { $0 == token }.count
            logit -= Double(count) * sampling.frequencyPenalty
            return logit - (count > 0 ? sampling.presencePenalty : 0)
        }
    }

    func softmax(_ logits: [Double]) -> [Double] {
        let largest = logits.max() ?? 0
        let powers = logits.map { exp(($0 - largest) / sampling.temperature) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }

    /// `probabilities` with 0 for tokens that are not to be chosen, scaled to sum to 1.
    func filtered(_ probabilities: [Double]) -> [Double] {
        var kept = probabilities
        func normalize() {
            let sum = kept.reduce(0, +)
            kept = kept.map { $0 / sum }
        }
        let descending = kept.indices.sorted { (-kept[$0], $0) < (-kept[$1], $1) }
        if let topK = sampling.topK {
            for index in descending.dropFirst(topK) { kept[index] = 0 }
            normalize()
        }
        if let topP = sampling.topP {
            var below = 0.0
            for index in descending.dropFirst().reversed() {
                below += kept[index]
                if below <= 1 - topP { kept[index] = 0 }
            }
            normalize()
        }
        if let minP = sampling.minP, let largest = kept.max() {
            for index in kept.indices where kept[index] < minP * largest { kept[index] = 0 }
            normalize()
        }
        return kept
    }

    /// The first id, ascending, at which the sum exceeds `u`.
    func choice(_ probabilities: [Double], _ u: Double) -> Int32 {
        var reached = 0.0
        for (index, probability) in probabilities.enumerated() {
            reached += probability
            if reached > u { return Int32(index) }
        }
        return -1
    }
}
