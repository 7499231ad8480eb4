import Foundation

/// A 95 % confidence interval around an estimate.
public struct Interval: Sendable, Equatable, Codable {
    public var value: Double
    public var low: Double
    public var high: Double

    public init(value: Double, low: Double, high: Double) {
        self.value = value
        self.low = low
        self.high = high
    }

    /// The 97.5 % point of the normal distribution.
    static let z = 1.959_963_984_540_054

    /// A share of `right` out of `n`, with Wilson's score interval (Wilson 1927).
    ///
    /// It stays within 0…1 and is sound for few rows too. `n` is at least 1.
    public static func wilson(right: Int, of n: Int) -> Self {
        precondition(n > 0 && (0...n).contains(right), "a share needs rows to be a share of")
        return wilson(mean: Double(right) / Double(n), of: n)
    }

    /// The same formula for the mean of `n` scores between 0 and 1, whose variance is at most that of
    /// a share: the interval is then rather too wide than too narrow.
    static func wilson(mean p: Double, of n: Int) -> Self {
        let n = Double(n)
        let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        // At the ends the formula gives exactly 0 and 1, which rounding misses.
        return Self(
            value: p, low: p == 0 ? 0 : max(0, centre - half),
            high: p == 1 ? 1 : min(1, centre + half))
    }

    /// How much larger the share of right answers of a candidate is than that of an incumbent, asked
    /// the same `n` questions: `gained` only the candidate got right, `lost` only the incumbent.
    ///
    /// The interval is the adjusted Wald interval for matched pairs (Agresti and Min 2005), which
    /// adds half a row to each of the four outcomes.
    public static func difference(gained: Int, lost: Int, of n: Int) -> Self {
        precondition(n > 0 && gained >= 0 && lost >= 0 && gained + lost <= n, "pairs are of n rows")
        let (b, c, m) = (Double(gained) + 0.5, Double(lost) + 0.5, Double(n) + 2)
        let centre = (b - c) / m
        let half = z * ((b + c) - (b - c) * (b - c) / m).squareRoot() / m
        return Self(
            value: Double(gained - lost) / Double(n), low: max(-1, centre - half),
            high: min(1, centre + half))
    }

    /// The mean of `scores`, each between 0 and 1 and of a row of its own, of which there is at least
    /// one; the interval is a bootstrap's.
    ///
    /// Scores that are all equal say nothing of how they vary; they get Wilson's interval.
    public static func mean(of scores: [Double]) -> Self {
        precondition(!scores.isEmpty, "a mean needs rows")
        let bootstrap = Bootstrap(of: scores)
        guard bootstrap.varies else { return wilson(mean: bootstrap.mean, of: scores.count) }
        return bootstrap.interval
    }

    /// How much larger the mean score of a candidate is than that of an incumbent, from the
    /// `differences` of their scores, row by row.
    ///
    /// The rows are drawn in pairs. Where all differences are equal, the interval is that of pairs of which none disagree.
    public static func meanDifference(_ differences: [Double]) -> Self {
        precondition(!differences.isEmpty, "a mean needs rows")
        let bootstrap = Bootstrap(of: differences)
        guard bootstrap.varies else {
            let none = difference(gained: 0, lost: 0, of: differences.count)
            return Self(
                value: bootstrap.mean, low: max(-1, bootstrap.mean + none.low),
                high: min(1, bootstrap.mean + none.high))
        }
        return bootstrap.interval
    }
}
