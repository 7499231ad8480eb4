package import FlywheelCore

/// How an exam is marked: its graders, and the metrics that they yield.
///
/// `accuracy` comes first: the share of rows that the first grader finds entirely right. Then, for
/// each grader, its score under its name (which `accuracy` says already where the first grader knows
/// only right and wrong), and each of its parts as `name.part`: `json.intent`, `json.valid`. Last, for
/// each judge, its score under its name; where judges alone mark, there is no `accuracy`.
public struct Marking: Sendable, Equatable {
    public static let accuracy = "accuracy"

    public let graders: [NamedGrader]
    /// Asked when all answers are there; ranks never ask them.
    public let judges: [NamedJudge]
    public let metrics: [Metric]

    /// `graders` and `judges` have at least one element together, and no name twice.
    public init(
        _ graders: [NamedGrader] = [NamedGrader("exact", .exact(ExactGrader()))],
        judges: [NamedJudge] = []
    ) {
        precondition(!graders.isEmpty || !judges.isEmpty, "an exam is marked by somebody")
        self.graders = graders
        self.judges = judges
        metrics =
            (graders.isEmpty ? [] : [Metric(Self.accuracy)])
            + graders.enumerated().flatMap { index, named in
                named.metrics.dropFirst(Self.hasOwnMetric(named.grader.rule, at: index) ? 0 : 1)
            } + judges.map { Metric($0.name, isGraded: true) }
    }

    /// Where the first grader's own score stands among `metrics`, or the first judge's without one.
    public var scorePlace: Int {
        graders.first.map { Self.hasOwnMetric($0.grader.rule, at: 0) ? 1 : 0 } ?? 0
    }

    /// Where the score of the judge at `index` stands among `metrics`.
    public func place(ofJudge index: Int) -> Int { metrics.count - judges.count + index }

    /// The numbers that graders give one answer, in the order of `metrics`.
    package func scores(answer: String, expected: String) -> [Double] {
        guard !graders.isEmpty else { return [] }
        var scores: [Double] = [0]
        for (index, named) in graders.enumerated() {
            let rule = named.grader.rule
            let grade = rule.grade(answer: answer, expected: expected)
            if index == 0 { scores[0] = grade.score == 1 ? 1 : 0 }
            if Self.hasOwnMetric(rule, at: index) { scores.append(grade.score) }
            scores += grade.parts
        }
        return scores
    }

    /// Throws `InputError`, without a field, for a reference that some grader cannot use.
    package func check(expected: String) throws(InputError) {
        for named in graders { try named.grader.rule.check(expected: expected) }
    }

    private static func hasOwnMetric(_ rule: any Grading, at index: Int) -> Bool {
        index > 0 || rule.isGraded
    }
}
