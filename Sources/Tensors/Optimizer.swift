import CKernels

/// AdamW: Adam with bias correction and decay apart from the gradient (Loshchilov & Hutter, 2019).
public struct AdamW: Sendable, Equatable {
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    /// Pulls a weight to zero by `learningRate × weightDecay` of itself per update.
    public var weightDecay: Double

    public init(
        beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
        weightDecay: Double = 0
    ) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    /// What an update works on: equally many weights, first and second moments, and gradients.
    @safe public struct Slices {
        public var weights: UnsafeMutableBufferPointer<Float>
        public var first: UnsafeMutableBufferPointer<Float>
        public var second: UnsafeMutableBufferPointer<Float>
        public var gradient: UnsafeBufferPointer<Float>

        public init(
            weights: UnsafeMutableBufferPointer<Float>, first: UnsafeMutableBufferPointer<Float>,
            second: UnsafeMutableBufferPointer<Float>, gradient: UnsafeBufferPointer<Float>
        ) {
            precondition(
                first.count == weights.count && second.count == weights.count
                    && gradient.count == weights.count)
            unsafe self.weights = weights
            unsafe self.first = first
            unsafe self.second = second
            unsafe self.gradient = gradient
        }

        /// The same of the elements in `range`.
        public subscript(range: Range<Int>) -> Slices {
            unsafe Slices(
                weights: UnsafeMutableBufferPointer(rebasing: weights[range]),
                first: UnsafeMutableBufferPointer(rebasing: first[range]),
                second: UnsafeMutableBufferPointer(rebasing: second[range]),
                gradient: UnsafeBufferPointer(rebasing: gradient[range]))
        }
    }

    /// Makes update number `step` (from 1) of `slices`, whose gradient is multiplied by `clip`.
    public func update(
        _ slices: Slices, step: Int, learningRate: Double, clip: Double, decays: Bool
    ) {
        guard let weights = unsafe slices.weights.baseAddress,
            let first = unsafe slices.first.baseAddress,
            let second = unsafe slices.second.baseAddress,
            let gradient = unsafe slices.gradient.baseAddress
        else { return }
        unsafe adamw(
            weights, first, second, gradient, slices.weights.count, Float(learningRate),
            Float(beta1), Float(beta2), Float(1 - beta1), Float(1 - beta2),
            Float(1 / (1 - Self.power(beta1, step))), Float(1 / (1 - Self.power(beta2, step))),
            Float(epsilon), decays ? Float(weightDecay) : 0, Float(clip))
    }

    /// `base` to the power of `exponent` by squaring: the mathematics library may differ by processor.
    static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= square }
            square *= square
            rest >>= 1
        }
        return result
    }
}

/// The Euclidean norm of `values`, summed in a fixed order: pairwise in blocks of 1,024, then block by
/// block in double precision.
public func norm(of values: UnsafeBufferPointer<Float>) -> Double {
    guard let base = values.baseAddress else { return 0 }
    return unsafe squares_sum(base, values.count).squareRoot()
}
