/// How far apart two numbers may be that count as equal.
public struct Tolerance: Sendable {
    /// As a part of the larger number.
    public var relative: Double
    /// For numbers near nothing.
    public var absolute: Double

    public init(relative: Double, absolute: Double) {
        self.relative = relative
        self.absolute = absolute
    }

    /// Different orders of summation in 64 bits.
    public static let float64 = Self(relative: 1e-12, absolute: 1e-14)
    /// Different orders of summation in 32 bits.
    public static let float32 = Self(relative: 1e-5, absolute: 1e-6)
    /// One rounding to bfloat16, which keeps 8 bits.
    public static let bfloat16 = Self(relative: 8e-3, absolute: 1e-3)
    /// A gradient against finite differences in 64 bits.
    public static let finiteDifference = Self(relative: 1e-5, absolute: 1e-7)
}

extension BinaryFloatingPoint {
    public func isClose(to other: Self, within tolerance: Tolerance) -> Bool {
        guard isFinite, other.isFinite else { return self == other || isNaN && other.isNaN }
        let (a, b) = (Double(self), Double(other))
        let bound = tolerance.absolute + tolerance.relative * max(abs(a), abs(b))
        return abs(a - b) <= bound
    }
}

extension Collection where Element: BinaryFloatingPoint {
    /// Whether both have as many elements and each pair is close.
    public func isClose(to other: some Collection<Element>, within tolerance: Tolerance) -> Bool {
        count == other.count
            && zip(self, other).allSatisfy { $0.isClose(to: $1, within: tolerance) }
    }
}
