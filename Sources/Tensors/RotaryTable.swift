import CKernels

/// How fast the pairs of a head turn with the position (Su and others, arXiv 2104.09864).
public struct RotarySettings: Sendable, Equatable {
    /// How contexts longer than those of the first training are reached.
    public enum Scaling: Sendable, Equatable {
        case none
        /// All frequencies divided by `factor`.
        case linear(factor: Double)
        /// Llama 3.1's: long waves stretched, short ones not.
        case llama3(factor: Double, low: Double, high: Double, original: Int)
        /// Peng and others, arXiv 2309.00071; `attention` multiplies cosines and sines.
        case yarn(YaRN)
    }

    public struct YaRN: Sendable, Equatable {
        public var factor: Double
        /// The context of the first training.
        public var original: Int
        /// More rotations than this in the original context: not stretched.
        public var fast: Double
        /// Fewer than this: stretched.
        public var slow: Double
        /// Whether the ends of the ramp are whole numbers.
        public var truncates: Bool
        /// What cosines and sines are multiplied by; nil takes 1 + 0.1 ln `factor`.
        public var attention: Double?
        /// Two weights whose quotient gives `attention` where it is not given (DeepSeek's form).
        public var mscale: Double?
        public var mscaleAllDim: Double?

        public init(
            factor: Double, original: Int, fast: Double = 32, slow: Double = 1,
            truncates: Bool = true, attention: Double? = nil, mscale: Double? = nil,
            mscaleAllDim: Double? = nil
        ) {
            self.factor = factor
            self.original = original
            self.fast = fast
            self.slow = slow
            self.truncates = truncates
            self.attention = attention
            self.mscale = mscale
            self.mscaleAllDim = mscaleAllDim
        }

        /// What cosines and sines are multiplied by.
        var scale: Double {
            if let attention { return attention }
            if let mscale, let mscaleAllDim, mscale != 0, mscaleAllDim != 0 {
                return rope_yarn_scale(factor, mscale) / rope_yarn_scale(factor, mscaleAllDim)
            }
            return rope_yarn_scale(factor, 1)
        }
    }

    public var theta: Double
    public var scaling: Scaling

    public init(theta: Double, scaling: Scaling = .none) {
        self.theta = theta
        self.scaling = scaling
    }

    /// The angle per position of each of `count` pairs, in radians.
    public func frequencies(pairs count: Int) -> [Double] {
        var frequencies = [Double](repeating: 0, count: count)
        unsafe rope_frequencies_F(&frequencies, theta, count)
        switch scaling {
        case .none: break
        case .linear(let factor): unsafe rope_linear_F(&frequencies, factor, count)
        case .llama3(let factor, let low, let high, let original):
            unsafe rope_llama3_F(&frequencies, factor, low, high, Double(original), count)
        case .yarn(let it):
            unsafe rope_yarn_F(
                &frequencies, theta, it.factor, it.fast, it.slow, Double(it.original),
                it.truncates ? 1 : 0, count)
        }
        return frequencies
    }

    /// What cosines and sines are multiplied by.
    public var scale: Double {
        if case .yarn(let it) = scaling { it.scale } else { 1 }
    }
}

/// Cosines and sines of rotary positions: fp64 angles, rounded once.
@safe public final class RotaryTable {
    public let positions: Int
    let cosine: Tensor
    let sine: Tensor
    private let arena: Arena

    /// Computes the angles of `positions` positions for heads of `headDimension` columns.
    public init(positions: Int, headDimension: Int, _ settings: RotarySettings) {
        precondition(headDimension % 2 == 0)
        let half = headDimension / 2
        self.positions = positions
        arena = Arena(count: 2 * positions * half)
        guard let base = unsafe arena.values.baseAddress else { preconditionFailure() }
        unsafe cosine = Tensor(base, rows: positions, columns: half)
        unsafe sine = Tensor(base + positions * half, rows: positions, columns: half)
        let frequencies = settings.frequencies(pairs: half)
        unsafe rope_table_PF(
            cosine.values, sine.values, frequencies, settings.scale, positions, half)
    }
}
