import Datasets
import FlywheelCore
public import Tokenizers

/// What is to be learned from a call, and who vouches for it.
public struct Target: Sendable, Equatable {
    /// In order of what they are worth: corrections stand above answers.
    public enum Kind: String, Sendable, Codable, CaseIterable, Comparable,
        CodingKeyRepresentable
    {
        /// Nobody said anything of the model's answer.
        case answer
        /// The model's answer, which those who are trusted find good.
        case accepted
        /// What somebody wrote in the answer's place.
        case correction

        var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
        public static func < (a: Kind, b: Kind) -> Bool { a.rank < b.rank }
    }

    public var kind: Kind
    public var message: ChatMessage
    /// Who corrected or accepted; nil for what nobody vouches for.
    public var source: String?
    /// Of that source; for an answer of which nothing was said, what the rules give it.
    public var trust: Double
    /// Names what that source said among all feedback.
    public var feedback: String?
}

extension CurationRules {
    /// The best correction: of the most trusted source, of equals the latest; of those who are not
    /// trusted enough, and of what cannot be read, none.
    func correction(of example: CapturedExample) -> Target? {
        var best: Target?
        for reaction in example.reactions where reaction.trust >= trustMin {
            guard let given = reaction.correction,
                let message = try? ChatAnswer.message(ofCorrection: given),
                reaction.trust >= best?.trust ?? 0
            else { continue }
            best = Target(
                kind: .correction, message: message, source: reaction.source, trust: reaction.trust,
                feedback: reaction.id)
        }
        return best
    }

    /// What those who are trusted say of the answer: the sum over reactions of trust times reward, the
    /// reward counted from -1 to 1, and who of those that praise it is trusted most.
    func rating(of example: CapturedExample) -> (sum: Double, by: Reaction?) {
        var sum = 0.0
        var best: Reaction?
        for reaction in example.reactions where reaction.trust >= trustMin {
            guard let reward = reaction.reward else { continue }
            sum += reaction.trust * (2 * reward - 1)
            if reward > 0.5, reaction.trust >= best?.trust ?? 0 { best = reaction }
        }
        return (sum, best)
    }

    /// Whether some reaction says that the answer is not good, and those that are trusted agree.
    func isRejected(_ example: CapturedExample) -> Bool {
        let isBlamed = example.reactions.contains {
            $0.trust >= trustMin && ($0.reward ?? 1) < 0.5
        }
        return isBlamed && rating(of: example).sum <= 0
    }
}
