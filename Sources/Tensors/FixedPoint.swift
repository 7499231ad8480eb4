import CKernels

/// Numbers as 64-bit integers times a power of two, so that a sum does not depend on its order.
///
/// Addition of integers is associative: whatever the number of ranks, the split of the work and the
/// algorithm of the reduction, a sum has the same bits.
public struct FixedPoint: Sendable, Equatable {
    /// Units per 1: a power of two.
    public let scale: Double

    /// 2^44 units per 1, for gradients of a mean loss.
    ///
    /// Rounding a row's gradient costs at most 2^-45 = 2.8e-14, a millionth of AdamW's epsilon (1e-8),
    /// below which a gradient has no effect; a float of size 1 keeps all its 24 bits down to 2^-44.
    /// The sum may reach 2^62 / 2^44 = 262,144 in any element; divided among 1,024 lanes that leaves
    /// 256 per row, where a healthy gradient's *norm* is around 1.
    public static let gradient = FixedPoint(exponent: 44)

    /// 2^30 units per nat, for sums of losses: at most 2^32 nats, each row rounded to 4.7e-10.
    public static let loss = FixedPoint(exponent: 30)

    public init(exponent: Int) { scale = Double(sign: .plus, exponent: exponent, significand: 1) }

    /// The largest size, in units, that each of `terms` numbers may have so that no sum overflows.
    public func limit(terms: Int) -> Double { 0x1p62 / Double(max(terms, 1)) }

    /// Adds `values`, rounded to nearest even, to `sum`; returns how many were too large or not numbers
    /// and so were not added, where each sum is of at most `terms` numbers.
    public func add(
        _ values: UnsafeBufferPointer<Float>, to sum: UnsafeMutableBufferPointer<Int64>, terms: Int
    ) -> Int {
        precondition(values.count <= sum.count)
        guard let from = values.baseAddress, let into = sum.baseAddress else { return 0 }
        return unsafe fixed_add(into, from, values.count, scale, limit(terms: terms))
    }

    /// `value` in units, rounded to nearest even; nil where it is not a number or exceeds its share of
    /// a sum of `terms` numbers.
    public func fixed(_ value: Double, terms: Int) -> Int64? {
        let units = (value * scale).rounded(.toNearestOrEven)
        return units.magnitude <= limit(terms: terms) ? Int64(units) : nil
    }

    /// The number that `units` stand for.
    public func value(_ units: Int64) -> Double { Double(units) / scale }
}
