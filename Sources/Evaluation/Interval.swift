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
        let (p, n) = (Double(right) / Double(n), Double(n))
        let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        return Self(value: p, low: max(0, centre - half), high: min(1, centre + half))
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
}
