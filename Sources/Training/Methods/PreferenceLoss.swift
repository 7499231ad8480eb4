import Tensors

/// What an answer as a whole scores: its log-probability under the model and under the reference.
public struct AnswerScore: Sendable, Equatable {
    /// Σ weight × log-probability of its tokens, in nats.
    public var policy: Double
    /// The same under the weights with which the training began; 0 where nothing is compared with them.
    public var reference: Double
    /// Σ weight of its tokens: its length, where no token weighs other than 1.
    public var length: Double

    public init(policy: Double, reference: Double = 0, length: Double) {
        self.policy = policy
        self.reference = reference
        self.length = length
    }

    /// How much likelier the model has become to give the answer, in nats.
    public var gain: Double { policy - reference }
}

/// A loss over a better and a worse answer to one question.
///
/// All are sums over pairs; whoever wants a mean knows their number.
public enum PreferenceLoss: Sendable, Equatable {
    /// −log σ(βD), D the better answer's gain less the worse one's (Rafailov et al., 2023); a `smoothing` of
    /// ε takes each pair to be the wrong way round with probability ε (cDPO, Mitchell 2023).
    case dpo(beta: Double, smoothing: Double)
    /// (D − 1/2β)², of gains averaged over each answer's length (Azar et al., 2023; as TRL averages).
    case ipo(beta: Double)
    /// −log σ(β(mean log-probability of the better − of the worse) − γ), without a reference (Meng et al.,
    /// 2024).
    case simpo(beta: Double, gamma: Double)
    /// The better answer's mean negative log-likelihood, and λ × −log σ of the difference of log odds; odds
    /// are of mean log-probabilities (Hong et al., 2024).
    case orpo(lambda: Double)

    /// What a pair costs, and how that changes with each answer's log-probability.
    public struct Value: Sendable {
        /// In nats; of IPO in nats squared.
        public var loss: Double
        /// The derivatives by both policies' log-probabilities.
        public var slopes: (better: Double, worse: Double)
        /// Implicit rewards, whose difference is the margin.
        public var rewards: (better: Double, worse: Double)
    }

    /// Whether answers are compared with what the model thought of them at the beginning.
    public var hasReference: Bool {
        switch self {
        case .dpo, .ipo: true
        case .simpo, .orpo: false
        }
    }

    public func value(better: AnswerScore, worse: AnswerScore) -> Value {
        switch self {
        case .dpo(let beta, let smoothing):
            let rewards = (better: beta * better.gain, worse: beta * worse.gain)
            let margin = rewards.better - rewards.worse
            let slope =
                beta
                * (smoothing * Elementary.sigmoid(margin)
                    - (1 - smoothing) * Elementary.sigmoid(-margin))
            return Value(
                loss: (1 - smoothing) * Elementary.softplus(-margin)
                    + smoothing * Elementary.softplus(margin),
                slopes: (slope, -slope), rewards: rewards)
        case .ipo(let beta):
            let gains = (better.gain / better.length, worse.gain / worse.length)
            let distance = gains.0 - gains.1 - 1 / (2 * beta)
            return Value(
                loss: distance * distance,
                slopes: (2 * distance / better.length, -2 * distance / worse.length),
                rewards: (beta * gains.0, beta * gains.1))
        case .simpo(let beta, let gamma):
            let rewards = (
                better: beta * better.policy / better.length,
                worse: beta * worse.policy / worse.length
            )
            let margin = rewards.better - rewards.worse - gamma
            let slope = -beta * Elementary.sigmoid(-margin)
            return Value(
                loss: Elementary.softplus(-margin),
                slopes: (slope / better.length, -slope / worse.length), rewards: rewards)
        case .orpo(let lambda):
            return oddsRatio(lambda, better, worse)
        }
    }

    private func oddsRatio(
        _ lambda: Double, _ better: AnswerScore, _ worse: AnswerScore
    ) -> Value {
        // Where an answer is as good as certain its odds have no bound; a billionth short of it they do.
        let means = (
            better: min(better.policy / better.length, -1e-9),
            worse: min(worse.policy / worse.length, -1e-9)
        )
        let doubts = (Elementary.complement(means.better), Elementary.complement(means.worse))
        let margin =
            means.better - Elementary.logarithm(doubts.0)
            - (means.worse - Elementary.logarithm(doubts.1))
        // d/da (a − log(1 − eᵃ)) = 1 / (1 − eᵃ)
        let slope = -lambda * Elementary.sigmoid(-margin)
        return Value(
            loss: -means.better + lambda * Elementary.softplus(-margin),
            slopes: (
                (slope / doubts.0 - 1) / better.length, -slope / doubts.1 / worse.length
            ),
            rewards: (lambda * means.better, lambda * means.worse))
    }
}

/// The loss of answers that were found good or bad, one by one: KTO (Ethayarajh et al., 2024).
///
/// λ_D (1 − σ(β(gain − z₀))) of a good one, λ_U (1 − σ(β(z₀ − gain))) of a bad one; z₀, the step's estimate
/// of how far the model has moved, has no gradient.
public struct JudgementLoss: Sendable, Equatable {
    public var beta: Double
    /// λ_D and λ_U.
    public var desirable: Double
    public var undesirable: Double

    public init(beta: Double, desirable: Double = 1, undesirable: Double = 1) {
        self.beta = beta
        self.desirable = desirable
        self.undesirable = undesirable
    }

    /// Loss, its derivative by the policy's log-probability, and the implicit reward.
    public func value(
        _ answer: AnswerScore, isGood: Bool, divergence: Double
    ) -> (loss: Double, slope: Double, reward: Double) {
        let sign = isGood ? 1.0 : -1.0
        let weight = isGood ? desirable : undesirable
        let doubt = Elementary.sigmoid(-sign * beta * (answer.gain - divergence))
        return (
            weight * doubt, -weight * sign * beta * doubt * (1 - doubt), beta * answer.gain
        )
    }
}
