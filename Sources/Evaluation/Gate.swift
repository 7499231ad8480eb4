/// Decides whether a candidate may take its incumbent's place.
///
/// Proven not worse means: the lower end of the interval around the difference, measured on the same
/// questions, is above minus the margin. Without an incumbent there is nothing to be worse than.
public struct Gate: Sendable, Equatable {
    public struct Decision: Sendable, Equatable {
        public var isPassed: Bool
        /// What was decided and why, for the person who asks.
        public var sentence: String
    }

    public var metric: String
    /// How much worse than the incumbent is still good enough.
    public var margin: Double
    /// What the lower end of the candidate's own interval must reach, incumbent or none.
    public var atLeast: Double

    public init(metric: String, margin: Double, atLeast: Double = 0) {
        self.metric = metric
        self.margin = margin
        self.atLeast = atLeast
    }

    /// - Parameters:
    ///   - candidate: its scores, a question each.
    ///   - incumbent: its scores on the same questions in the same order; nil when there is none.
    public func decide(
        candidate: (name: String, scores: [Double]), incumbent: (name: String, scores: [Double])?
    ) -> Decision {
        let n = candidate.scores.count
        let own = Interval.wilson(right: candidate.scores.count { $0 == 1 }, of: n)
        guard own.low >= atLeast else {
            return Decision(
                isPassed: false,
                sentence: """
                    \(candidate.name) has \(metric) \(own.shown) on \(n) rows, which may be less than the \
                    \(fixed(atLeast, 3)) asked for, so it was refused and nothing was promoted.
                    """)
        }
        guard let incumbent else {
            return Decision(
                isPassed: true,
                sentence: """
                    \(candidate.name) has \(metric) \(own.shown) on \(n) rows and no incumbent to be \
                    compared with, so it passed.
                    """)
        }
        let pairs = zip(candidate.scores, incumbent.scores)
        let difference = Interval.difference(
            gained: pairs.count { $0 == 1 && $1 != 1 }, lost: pairs.count { $0 != 1 && $1 == 1 },
            of: n)
        let isPassed = difference.low >= -margin
        let comparison = """
            \(candidate.name) has \(metric) \(own.shown), which is \(difference.shownAsPoints) points \
            from \(incumbent.name) on the same \(n) rows
            """
        return Decision(
            isPassed: isPassed,
            sentence: isPassed
                ? "\(comparison): not worse by more than \(points(margin)) points, so it passed."
                : """
                \(comparison): it may be worse by more than \(points(margin)) points, so it was refused \
                and nothing was promoted.
                """)
    }
}

extension Interval {
    /// As people read it: `0.823 [0.806, 0.839]`.
    public var shown: String { "\(fixed(value, 3)) [\(fixed(low, 3)), \(fixed(high, 3))]" }

    /// `+1.2 [-0.3, +2.7]`, in percentage points.
    var shownAsPoints: String {
        let signed = [value, low, high].map { ($0 < 0 ? "" : "+") + points($0) }
        return "\(signed[0]) [\(signed[1]), \(signed[2])]"
    }
}

private func points(_ share: Double) -> String { fixed(share * 100, 1) }

/// `value` with `digits` digits after the point, whatever the locale.
private func fixed(_ value: Double, _ digits: Int) -> String {
    let scale = [1.0, 10, 100, 1000][digits]
    let whole = (value * scale).rounded()
    let magnitude = Int(abs(whole))
    let fraction = String(magnitude % Int(scale))
    let sign = whole < 0 ? "-" : ""
    return digits == 0
        ? "\(sign)\(magnitude)"
        : "\(sign)\(magnitude / Int(scale))."
            + String(repeating: "0", count: digits - fraction.count) + fraction
}
