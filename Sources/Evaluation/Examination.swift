import Graders

/// All that an exam found: a candidate, its incumbent if it has one, and whoever else sat it.
public struct Examination: Sendable {
    public let exam: Exam
    public let candidate: Sitting
    public let incumbent: Sitting?
    public let others: [Sitting]
    public let slices: [Slice]
    /// By model, slice and metric.
    public let scorecards: [Scorecard]
    /// Of the candidate and the others with the incumbent.
    public let comparisons: [Comparison]

    /// The verdicts of every sitting are on the questions of `exam`, in their order; `eachModel` is
    /// called when one is reckoned up, which takes seconds where many scores are resampled.
    public init(
        _ exam: Exam, candidate: Sitting, incumbent: Sitting? = nil, others: [Sitting] = [],
        eachModel: () throws -> Void
    ) rethrows {
        let slices = exam.slices
        let metrics = exam.marking.metrics.enumerated().map { (place: $0, metric: $1) }
        self.exam = exam
        self.candidate = candidate
        self.incumbent = incumbent
        self.others = others
        self.slices = slices
        scorecards = try ([candidate] + (incumbent.map { [$0] } ?? []) + others).flatMap {
            sitting in
            try eachModel()
            return slices.flatMap { slice in
                metrics.compactMap { Scorecard(sitting, $0, on: slice) }
            }
        }
        comparisons =
            try incumbent.map { incumbent in
                try ([candidate] + others).flatMap { sitting in
                    try eachModel()
                    return slices.flatMap { slice in
                        metrics.compactMap {
                            Comparison(sitting, against: incumbent, $0, on: slice)
                        }
                    }
                }
            } ?? []
    }

    /// All sittings, the candidate's first.
    public var sittings: [Sitting] { [candidate] + (incumbent.map { [$0] } ?? []) + others }

    func scorecard(_ metric: String, _ slice: String) -> Scorecard? {
        scorecards.first {
            $0.model == candidate.model && $0.metric == metric && $0.slice == slice
        }
    }

    func comparison(_ metric: String, _ slice: String) -> Comparison? {
        comparisons.first {
            $0.model == candidate.model && $0.metric == metric && $0.slice == slice
        }
    }
}
