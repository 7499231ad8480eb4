extension Interval {
    /// As people read it: `0.823 [0.806, 0.839]`.
    public var shown: String { "\(fixed(value, 3)) [\(fixed(low, 3)), \(fixed(high, 3))]" }

    /// `+1.2 [-0.3, +2.7]`, in percentage points.
    var shownAsPoints: String {
        let signed = [value, low, high].map { ($0 < 0 ? "" : "+") + points($0) }
        return "\(signed[0]) [\(signed[1]), \(signed[2])]"
    }
}

func points(_ share: Double) -> String { fixed(share * 100, 1) }

/// `value` with `digits` digits after the point, whatever the locale.
func fixed(_ value: Double, _ digits: Int) -> String {
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
