import Training

/// Where the time of an attempt's steps went, for its log.
final class StepTimes: CustomStringConvertible {
    private var steps = 0
    private var total = Duration.zero
    private var reduction = Duration.zero

    func add(_ report: StepReport) {
        steps += 1
        total += report.duration
        reduction += report.reduction
    }

    var description: String {
        """
        \(steps) steps in \(total), of which \(reduction) waiting for other ranks and adding up gradients
        """
    }
}
