/// Which of two answers is better.
public enum Preference: String, Sendable, Codable, CaseIterable {
    case first, second, tie

    /// The same preference when the answers change places.
    public var swapped: Self {
        switch self {
        case .first: .second
        case .second: .first
        case .tie: .tie
        }
    }
}

/// What a judge said of one pair of answers in both orders, told of the answers themselves; nil
/// where its words could not be read.
public struct PairJudgement: Sendable, Equatable {
    /// Asked in the pair's own order.
    public var forward: Preference?
    /// Asked with the answers in each other's place, and turned back.
    public var reversed: Preference?

    public init(forward: Preference?, reversed: Preference?) {
        self.forward = forward
        self.reversed = reversed
    }

    /// Where both orders agree, what they say; a tie where they do not, since then it was the place
    /// that decided; nil where one of them is not known.
    public var combined: Preference? {
        guard let forward, let reversed else { return nil }
        return forward == reversed ? forward : .tie
    }
}
