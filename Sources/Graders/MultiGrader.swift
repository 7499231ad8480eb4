package import FlywheelCore

/// A grader with the name under which its metrics appear.
public struct NamedGrader: Sendable, Equatable {
    public var name: String
    public var grader: Grader

    public init(_ name: String, _ grader: Grader) {
        self.name = name
        self.grader = grader
    }

    /// Of its score, then of its parts: `json`, `json.intent`, `json.valid`.
    package var metrics: [Metric] {
        [Metric(name, isGraded: grader.rule.isGraded)]
            + grader.rule.parts.map { Metric("\(name).\($0.name)", isGraded: $0.isGraded) }
    }
}

/// Several graders in one score.
public struct MultiGrader: Grading, Equatable {
    public enum Total: Sendable, Equatable {
        /// The mean, each grader of the same order weighed so much.
        case weights([Double])
        case formula(Formula)
    }

    public var graders: [NamedGrader]
    public var total: Total

    public init(_ graders: [NamedGrader], total: Total) {
        self.graders = graders
        self.total = total
    }

    package var isGraded: Bool { true }

    package var parts: [Metric] {
        graders.flatMap(\.metrics)
    }

    package func grade(answer: String, expected: String) -> Grade {
        let grades = graders.map { $0.grader.rule.grade(answer: answer, expected: expected) }
        let parts = grades.flatMap { [$0.score] + $0.parts }
        let score =
            switch total {
            case .weights(let weights):
                zip(weights, grades).map { $0 * $1.score }.reduce(0, +) / weights.reduce(0, +)
            case .formula(let formula):
                formula.value(
                    Dictionary(
                        zip(graders, grades).map { ($0.name, $1.score) },
                        uniquingKeysWith: { first, _ in first }))
            }
        return Grade(score: score, parts: parts)
    }

    package func check(expected: String) throws(InputError) {
        for named in graders { try named.grader.rule.check(expected: expected) }
    }
}
