/// Why training cannot go on, though its inputs could be read.
public enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Elements of a step's gradient were too large for the reduction, or not numbers.
    case diverged(step: Int, elements: Int)
    case validationDiverged(rows: Int)
    /// What some documents score under the weights that training begins with is no number.
    case reference(documents: Int)
    /// Ranks that computed the same have different weights.
    case ranksDisagree(step: Int)
    case checkpoint(path: String, problem: String)

    public var description: String {
        switch self {
        case .diverged(let step, let elements):
            """
            The gradient of step \(step) is too large or not a number in \(elements) elements, so the step \
            was not made. The training diverged: lower schedule.learningRate or lengthen schedule.warmup. \
            Checkpoints up to the step before are good.
            """
        case .validationDiverged(let rows):
            """
            The loss of \(rows) validation rows is too large or not a number. The training diverged: lower \
            schedule.learningRate or lengthen schedule.warmup.
            """
        case .reference(let documents):
            """
            The base gives \(documents) answers a log-probability that is no number, so nothing can be \
            compared with it. Nothing was trained. Use another base, or look at its weights.
            """
        case .ranksDisagree(let step):
            """
            The ranks have different weights after step \(step), though they made the same updates. One of \
            them computes wrongly: compare processors, libraries and memory of the nodes. Checkpoints up to \
            the one before are good.
            """
        case .checkpoint(let path, let problem):
            """
            \(path): \(problem). The checkpoint was not used, and nothing was trained from it. Resume from \
            another one, or submit the job anew.
            """
        }
    }
}
