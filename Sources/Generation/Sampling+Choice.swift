import Tensors

/// What an answer's penalties look at: the tokens that were there before.
package struct TokenHistory {
    /// Of prompt and answer.
    package private(set) var seen: Set<Int32>
    /// How often each token is in the answer.
    package private(set) var counts: [Int32: Int] = [:]

    package init(prompt: some Sequence<Int32>) { seen = Set(prompt) }

    package mutating func append(_ token: Int32) {
        seen.insert(token)
        counts[token, default: 0] += 1
    }
}

extension Sampling {
    /// Whether `adjust` changes anything.
    var adjusts: Bool { !logitBias.isEmpty || penalizes }

    /// Whether a choice depends on the tokens before it.
    var penalizes: Bool {
        repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0
    }

    /// Adds the bias and applies the penalties, each logit by itself, in fp32.
    package func adjust(_ logits: inout [Float], _ history: TokenHistory) {
        for (token, bias) in logitBias { logits[Int(token)] += Float(bias) }
        if repetitionPenalty != 1 {
            let penalty = Float(repetitionPenalty)
            for token in history.seen {
                let logit = logits[Int(token)]
                logits[Int(token)] = logit < 0 ? logit * penalty : logit / penalty
            }
        }
        if presencePenalty != 0 || frequencyPenalty != 0 {
            for (token, count) in history.counts {
                logits[Int(token)] -= Float(
                    frequencyPenalty * Double(count) + presencePenalty)
            }
        }
    }

    /// A number between 0 and 1, both excluded, for one choice: whoever else is asked.
    package func uniform(prompt key: UInt64, sample: Int, position: Int) -> Double {
        let bits = Philox.bits(
            SIMD4(
                UInt32(position), UInt32(sample), UInt32(truncatingIfNeeded: key),
                UInt32(truncatingIfNeeded: key >> 32)), key: seed)
        return (Double((UInt64(bits.x) << 32 | UInt64(bits.y)) >> 11) + 0.5) * 0x1p-53
    }

    /// A token from `probabilities`, which need not sum to 1: the first, in order of ids, of those
    /// left by top-k, top-p and min-p, at which their sum exceeds `u` times their total.
    package func choose(_ probabilities: [Float], _ u: Double) -> Int32 {
        let candidates = candidates(probabilities)
        let total = candidates.reduce(0) { $0 + Double(probabilities[$1]) }
        var reached = 0.0
        for candidate in candidates {
            reached += Double(probabilities[candidate])
            if reached > u * total { return Int32(candidate) }
        }
        // Rounding may leave the end unreached.
        return Int32(candidates.last { probabilities[$0] > 0 } ?? 0)
    }

    /// The ids to choose from, ascending.
    private func candidates(_ probabilities: [Float]) -> [Int] {
        var kept: [Int]
        if let nucleus = nucleus(probabilities) {
            kept = nucleus.sorted()
        } else {
            kept = Array(probabilities.indices)
        }
        if let minP, minP > 0 {
            let least = minP * Double(probabilities.max() ?? 0)
            kept.removeAll { Double(probabilities[$0]) < least }
        }
        return kept
    }

    /// What top-k and top-p leave, most probable first; nil where they leave all.
    private func nucleus(_ probabilities: [Float]) -> [Int]? {
        let topP = topP.flatMap { $0 < 1 ? $0 : nil }
        let topK = topK.flatMap { $0 < probabilities.count ? $0 : nil }
        guard let topP else { return topK.map { probabilities.largest($0) } }
        if let topK { return Self.prefix(probabilities.largest(topK), of: probabilities, topP) }
        // Most often few tokens have most of the probability.
        let whole = probabilities.reduce(0) { $0 + Double($1) }
        let first = probabilities.largest(64)
        let reached = first.reduce(0) { $0 + Double(probabilities[$1]) }
        return Self.prefix(
            reached >= topP * whole ? first : probabilities.largest(probabilities.count),
            of: probabilities, topP, whole: whole)
    }

    /// The first of `ordered` that together reach `share` of `whole`, or of all `ordered`.
    private static func prefix(
        _ ordered: [Int], of probabilities: [Float], _ share: Double, whole: Double? = nil
    ) -> [Int] {
        let whole = whole ?? ordered.reduce(0) { $0 + Double(probabilities[$1]) }
        var reached = 0.0
        for (count, index) in ordered.enumerated() {
            reached += Double(probabilities[index])
            if reached >= share * whole { return Array(ordered.prefix(count + 1)) }
        }
        return ordered
    }
}

extension [Float] {
    /// The indices of the `count` largest elements, the largest first, the lower among equals.
    package func largest(_ count: Int) -> [Int] {
        if count > 256 {
            return Array<Int>(
                indices.sorted { (-self[$0], $0) < (-self[$1], $1) }.prefix(count))
        }
        var best: [Int] = []
        for index in indices {
            if best.count == count {
                guard let last = best.last, self[index] > self[last] else { continue }
                best.removeLast()
            }
            let place = best.lastIndex { self[$0] >= self[index] }.map { $0 + 1 } ?? 0
            best.insert(index, at: place)
        }
        return best
    }
}
