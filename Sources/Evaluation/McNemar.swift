import Foundation

/// McNemar's test in its exact form (McNemar 1947; the binomial test on the pairs that disagree).
public enum McNemar {
    /// How probable a division of the disagreeing pairs as uneven as `gained` to `lost` would be, if
    /// candidate and incumbent were equally good; two-sided, and exact for any number of pairs.
    public static func pValue(gained: Int, lost: Int) -> Double {
        precondition(gained >= 0 && lost >= 0, "pairs are counted")
        let n = gained + lost
        guard n > 0 else { return 1 }
        // Terms of the binomial distribution with p = ½, from their logarithms, lest they vanish.
        var logTerm = -Double(n) * log(2.0)
        var tail = exp(logTerm)
        for k in 0..<min(gained, lost) {
            logTerm += log(Double(n - k)) - log(Double(k + 1))
            tail += exp(logTerm)
        }
        return min(1, 2 * tail)
    }
}
