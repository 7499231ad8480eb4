package import FlywheelCore

/// How an exam is marked: its graders, and the metrics that they yield.
///
/// `accuracy` comes first: the share of rows that the first grader finds entirely right. Then, for
/// each grader, its score under its name (which `accuracy` says already where the first grader knows
/// only right and wrong), and each of its parts as `name.part`: `json.intent`, `json.valid`.
public struct Marking: Sendable, Equatable {
    public static let accuracy = "accuracy"

    public let graders: [NamedGrader]
    public let metrics: [Metric]

    /// `graders` has at least one element, and no name twice.
    public init(_ graders: [NamedGrader] = [NamedGrader("exact", .exact(ExactGrader()))]) {
        precondition(!graders.isEmpty, "an exam is marked by somebody")
        self.graders = graders
        metrics =
            [Metric(Self.accuracy)]
            + graders.enumerated().flatMap { index, named in
                named.metrics.dropFirst(Self.hasOwnMetric(named.grader.rule, at: index) ? 0 : 1)
            }
    }

    /// Where the first grader's own score stands among `metrics`.
    public var scorePlace: Int { Self.hasOwnMetric(graders[0].grader.rule, at: 0) ? 1 : 0 }

    /// The numbers of one answer, in the order of `metrics`.
    package func scores(answer: String, expected: String) -> [Double] {
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
