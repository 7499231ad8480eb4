/// What somebody says about an answer, or about the piece of work that it was part of.
public enum FeedbackName: String, CaseIterable, Codable, Sendable {
    /// What the answer should have been.
    case correction
    /// The answer was used as it was.
    case accepted
    /// It was not used.
    case rejected
    /// It was used, changed; `correction` may say to what.
    case modified
    /// The piece of work came to its end, well or not.
    case resolved
    /// How good it was, as a number.
    case score
    /// Words.
    case comment
}
