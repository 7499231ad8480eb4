public import Datasets
public import FlywheelCore
public import Jobs

extension Exam {
    /// The exam that `specification` means, on `rows` of its golden set.
    public init(
        _ specification: EvaluateSpecification, rows: [DatasetRow]
    ) throws(InputError) {
        try self.init(
            rows, marking: specification.marking,
            slicing: Slicing(
                by: specification.slices.by, rowsMin: specification.slices.rowsMin),
            reference: specification.reference, answerTokensMax: specification.maxTokens)
    }
}
