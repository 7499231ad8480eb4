package import FlywheelCore

/// How an answer is marked against the reference that its row holds.
public indirect enum Grader: Sendable, Equatable {
    case exact(ExactGrader)
    case regex(RegexGrader)
    case json(JSONGrader)
    case numeric(NumericGrader)
    case multi(MultiGrader)

    package var rule: any Grading {
        switch self {
        case .exact(let grader): grader
        case .regex(let grader): grader
        case .json(let grader): grader
        case .numeric(let grader): grader
        case .multi(let grader): grader
        }
    }
}

/// What is measured on every row, with what its numbers can be.
public struct Metric: Sendable, Equatable {
    public var name: String
    /// Whether a row may have any number from 0 to 1, so that the metric is a mean; otherwise a row
    /// is right or wrong, and the metric is a share.
    public var isGraded: Bool

    public init(_ name: String, isGraded: Bool = false) {
        self.name = name
        self.isGraded = isGraded
    }
}

/// What a grader found about one answer.
package struct Grade: Sendable, Equatable {
    /// From 0, wrong, to 1, right.
    package var score: Double
    /// One for each of the grader's `parts`, from 0 to 1.
    package var parts: [Double] = []

    package static let wrong = Grade(score: 0)

    package init(score: Double, parts: [Double] = []) {
        self.score = score
        self.parts = parts
    }

    package init(isRight: Bool) { self.init(score: isRight ? 1 : 0) }
}

/// A rule that marks answers; a function of answer and reference alone.
package protocol Grading: Sendable {
    /// Whether its score may lie between 0 and 1.
    var isGraded: Bool { get }
    /// What it measures beside its score.
    var parts: [Metric] { get }
    func grade(answer: String, expected: String) -> Grade
    /// Throws `InputError` for a reference that no answer could be marked against.
    func check(expected: String) throws(InputError)
}

extension Grading {
    package var isGraded: Bool { false }
    package var parts: [Metric] { [] }
    package func check(expected: String) throws(InputError) {}
}
