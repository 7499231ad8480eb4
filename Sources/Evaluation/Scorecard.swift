import Graders

/// A model's verdicts on all questions of an exam, in their order.
public struct Sitting: Sendable, Equatable, Codable {
    /// What people call the model: `name@version`.
    public var model: String
    public var verdicts: [Exam.Verdict]

    public init(model: String, verdicts: [Exam.Verdict]) {
        self.model = model
        self.verdicts = verdicts
    }

    /// The scores of `metric`, by its place in the marking, on the rows of `slice`.
    func scores(_ metric: Int, on slice: Slice) -> [Double?] {
        slice.rows.map { verdicts[$0].scores[metric] }
    }
}

/// What an exam found about one model.
public struct Scorecard: Sendable, Equatable, Codable {
    /// What people call it: `name@version`.
    public var model: String
    public var metric: String
    /// Which rows: `all` of them, or `field=value`.
    public var slice: String
    public var interval: Interval
    public var n: Int

    /// Nil where no row of the slice has a score.
    init?(_ sitting: Sitting, _ metric: (place: Int, metric: Metric), on slice: Slice) {
        let scores = sitting.scores(metric.place, on: slice).compactMap(\.self)
        guard !scores.isEmpty else { return nil }
        model = sitting.model
        self.metric = metric.metric.name
        self.slice = slice.name
        n = scores.count
        interval =
            metric.metric.isGraded
            ? .mean(of: scores) : .wilson(right: scores.count { $0 == 1 }, of: scores.count)
    }
}

/// How a model compares with the incumbent on the same rows.
public struct Comparison: Sendable, Equatable, Codable {
    public var model: String
    public var incumbent: String
    public var metric: String
    public var slice: String
    /// The model's less the incumbent's.
    public var difference: Interval
    public var n: Int
    /// Rows that the model scores higher on, and lower.
    public var gained: Int
    public var lost: Int
    /// McNemar's, two-sided; nil for metrics that are means of scores, which have the bootstrap's
    /// interval alone.
    public var pValue: Double?

    /// Of the rows where both have a score; nil where there is none.
    init?(
        _ sitting: Sitting, against incumbent: Sitting, _ metric: (place: Int, metric: Metric),
        on slice: Slice
    ) {
        let differences = zip(
            sitting.scores(metric.place, on: slice), incumbent.scores(metric.place, on: slice)
        ).compactMap { own, other in own.flatMap { own in other.map { own - $0 } } }
        guard !differences.isEmpty else { return nil }
        model = sitting.model
        self.incumbent = incumbent.model
        self.metric = metric.metric.name
        self.slice = slice.name
        n = differences.count
        gained = differences.count { $0 > 0 }
        lost = differences.count { $0 < 0 }
        difference =
            metric.metric.isGraded
            ? .meanDifference(differences) : .difference(gained: gained, lost: lost, of: n)
        pValue = metric.metric.isGraded ? nil : McNemar.pValue(gained: gained, lost: lost)
    }
}
