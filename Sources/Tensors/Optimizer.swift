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

    /// What an update works on: equally many weights, first and second moments, and sums of gradients.
    @safe public struct Slices: @unchecked Sendable {
        public var weights: UnsafeMutableBufferPointer<Float>
        public var first: UnsafeMutableBufferPointer<Float>
        public var second: UnsafeMutableBufferPointer<Float>
        /// In units of `FixedPoint.gradient`; 0 after an update.
        public var gradient: UnsafeMutableBufferPointer<Int64>

        public init(
            weights: UnsafeMutableBufferPointer<Float>, first: UnsafeMutableBufferPointer<Float>,
            second: UnsafeMutableBufferPointer<Float>, gradient: UnsafeMutableBufferPointer<Int64>
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
                gradient: UnsafeMutableBufferPointer(rebasing: gradient[range]))
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
        var numbers = adamw_numbers(
            learning_rate: Float(learningRate), beta1: Float(beta1), beta2: Float(beta2),
            one_minus_beta1: Float(1 - beta1), one_minus_beta2: Float(1 - beta2),
            correction1: Float(1 / (1 - Self.power(beta1, step))),
            correction2: Float(1 / (1 - Self.power(beta2, step))), epsilon: Float(epsilon),
            decay: decays ? Float(weightDecay) : 0, clip: Float(clip))
        unsafe adamw(
            weights, first, second, gradient, slices.weights.count, FixedPoint.gradient.scale,
            &numbers)
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

extension FixedPoint {
    /// The Euclidean norm of `sums`, each rounded to a float, added in a fixed order: pairwise in
    /// blocks of 1,024, then block by block in double precision.
    public func norm(of sums: UnsafeBufferPointer<Int64>, threads: Int = 1) -> Double {
        let block = Int(SQUARES_BLOCK)
        let squares = Squares(blocks: (sums.count + block - 1) / block)
        let all = unsafe Sums(values: sums)
        let share = 1024  // blocks
        inParallel((squares.count + share - 1) / share, threads: threads) { index in
            let start = index * share
            let end = unsafe min((start + share) * block, all.values.count)
            guard let from = unsafe all.values.baseAddress else { return }
            unsafe squares_B(
                squares.values + start, from + start * block, end - start * block, scale)
        }
        return (0..<squares.count).reduce(0) { unsafe $0 + squares.values[$1] }.squareRoot()
    }

    @safe private struct Sums: @unchecked Sendable { let values: UnsafeBufferPointer<Int64> }

    @safe private final class Squares: @unchecked Sendable {
        let values: UnsafeMutablePointer<Double>
        let count: Int

        init(blocks: Int) {
            count = blocks
            unsafe values = .allocate(capacity: blocks)
            unsafe values.initialize(repeating: 0, count: blocks)
        }

        deinit { unsafe values.deallocate() }
    }
}
