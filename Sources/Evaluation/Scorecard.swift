/// What an exam found about one model.
public struct Scorecard: Sendable, Equatable, Codable {
    /// What people call it: `name@version`.
    public var model: String
    public var metric: String
    /// Which rows: `all` of them.
    public var slice: String
    public var interval: Interval
    public var n: Int

    /// The share of right answers among `verdicts`, of which there is at least one.
    public static func accuracy(of model: String, _ verdicts: [Exam.Verdict]) -> Self {
        Self(
            model: model, metric: "accuracy", slice: "all",
            interval: .wilson(right: verdicts.count { $0.score == 1 }, of: verdicts.count),
            n: verdicts.count)
    }
}
