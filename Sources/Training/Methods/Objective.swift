/// What a training makes smaller.
public enum Objective: Sendable, Equatable {
    /// The negative log-likelihood of tokens, mixed with a teacher's word where rows have it.
    case likelihood
    /// A loss over pairs of answers.
    case preference(PreferenceLoss)
    /// A loss over answers that were judged one by one.
    case judgement(JudgementLoss)

    /// Whether answers are compared with what the model thought of them before the first step.
    public var hasReference: Bool {
        switch self {
        case .likelihood: false
        case .preference(let loss): loss.hasReference
        case .judgement: true
        }
    }

    /// Whether a step begins with an estimate of how far the model has moved.
    var hasDivergence: Bool { if case .judgement = self { true } else { false } }
}

/// Sums over some examples: what they cost, and what the model makes of them.
struct Tally: Sendable, Equatable {
    var loss = 0.0
    /// Implicit rewards of answers that were found better, or good, and how many there are.
    var better = 0.0
    var betters = 0
    /// Those of the others.
    var worse = 0.0
    var worses = 0
    /// Examples on which the model is of the same opinion as whoever judged them.
    var correct = 0

    /// What is said of them after a step; nothing where nobody judged anything.
    func metrics(divergence: Double?) -> [String: Double] {
        guard betters + worses > 0 else { return [:] }
        var metrics: [String: Double] = [:]
        let judged = divergence == nil ? betters : betters + worses
        metrics["accuracy"] = Double(correct) / Double(judged)
        if betters > 0 { metrics["reward_better"] = better / Double(betters) }
        if worses > 0 { metrics["reward_worse"] = worse / Double(worses) }
        if betters > 0, worses > 0 {
            metrics["reward_margin"] = better / Double(betters) - worse / Double(worses)
        }
        metrics["divergence"] = divergence
        return metrics
    }
}
