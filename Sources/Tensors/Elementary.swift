import CKernels

/// Functions of one fp64 number that are the same on every processor, as the mathematics library's need
/// not be.
public enum Elementary {
    /// e to the power of `x`; at most that of 700.
    public static func exponential(_ x: Double) -> Double { scalar_exp(x) }

    /// The logistic function, 1 / (1 + e^−x).
    public static func sigmoid(_ x: Double) -> Double {
        let part = scalar_exp(-x.magnitude)
        return x < 0 ? part / (1 + part) : 1 / (1 + part)
    }

    /// log(1 + e^x), exact also where it is nearly 0 or nearly `x`.
    public static func softplus(_ x: Double) -> Double {
        max(x, 0) + scalar_log1p(scalar_exp(-x.magnitude))
    }

    /// 1 − e^x for `x` of 0 or less, exact also where it is nearly 0.
    public static func complement(_ x: Double) -> Double { -scalar_expm1(min(x, 0)) }

    /// The natural logarithm of a normal number above 0.
    public static func logarithm(_ x: Double) -> Double { scalar_log(x) }
}
