/// The learning rate: a pure function of the step, whatever the ranks, crashes and resumptions.
public struct LearningRate: Sendable, Equatable {
    public enum Decay: String, Sendable, Codable, CaseIterable { case cosine, linear, constant }

    public var peak: Double
    /// The share of all steps over which the rate rises linearly.
    public var warmup: Double
    public var decay: Decay
    /// The rate at the last step, as a share of the peak.
    public var floor: Double

    public init(peak: Double, warmup: Double = 0, decay: Decay = .cosine, floor: Double = 0) {
        self.peak = peak
        self.warmup = warmup
        self.decay = decay
        self.floor = floor
    }

    /// The rate of update `step` (from 1) of `steps`.
    ///
    /// Warm-up takes ⌈warmup × steps⌉ updates and reaches the peak with its last; the update after it
    /// is the first of the decay, and what would be one update after the end gets the floor.
    public func rate(at step: Int, of steps: Int) -> Double {
        let warmupSteps = min(steps, Int((warmup * Double(steps)).rounded(.up)))
        if step <= warmupSteps { return peak * Double(step) / Double(warmupSteps) }
        let progress = Double(step - 1 - warmupSteps) / Double(max(1, steps - warmupSteps))
        let share =
            switch decay {
            case .cosine: 0.5 * (1 + cosine(halfTurns: progress))
            case .linear: 1 - progress
            case .constant: 1.0
            }
        return peak * (decay == .constant ? 1 : floor + (1 - floor) * share)
    }
}

/// cos(π x) for x in 0...1, by a polynomial: the library's cosine may differ from processor to processor.
private func cosine(halfTurns x: Double) -> Double {
    // Folded to a quarter turn or less, where the series to the 22nd power is exact to double precision.
    if x > 0.5 { return -cosine(halfTurns: 1 - x) }
    let square = (Double.pi * x) * (Double.pi * x)
    var (sum, term) = (0.0, 1.0)
    for k in 0..<12 {
        sum += term
        term *= -square / Double((2 * k + 1) * (2 * k + 2))
    }
    return sum
}
