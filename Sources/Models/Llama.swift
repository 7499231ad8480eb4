/// CONTRACT (bodies follow): a decoder of the Llama family with its parameters, able to score rows
/// and to differentiate their loss. One instance belongs to one thread.
@safe public final class Llama {
    public let configuration: LlamaConfiguration
    public let layout: ParameterLayout
    /// All parameters, fp32, as `layout` says; `layout.count` elements.
    public let parameters: UnsafeMutableBufferPointer<Float>

    /// Allocates parameters (zero) and room for rows of up to `rowTokensMax` tokens.
    public init(configuration: LlamaConfiguration, rowTokensMax: Int, isTraining: Bool) {
        fatalError("contract")
    }

    /// Fills the parameters from `seed` as transformers' initialiser does (normal, `initializerRange`;
    /// norms 1), by a counter-based generator: a function of seed, tensor and element.
    public func initialize(seed: UInt64) { fatalError("contract") }

    /// The sum over positions of weight × negative log-probability of the target, in nats.
    public func lossSum(of row: PackedRow) -> Double { fatalError("contract") }

    /// As `lossSum`, and writes `scale` × its gradient over all parameters to `gradient`.
    public func lossSum(
        of row: PackedRow, scale: Float, gradient: UnsafeMutableBufferPointer<Float>
    ) -> Double { fatalError("contract") }

    /// The natural-log probability of the target at every position, T of them.
    public func logProbabilities(of row: PackedRow) -> [Float] { fatalError("contract") }
}

/// CONTRACT: what `config.json` of this family says.
public struct LlamaConfiguration: Sendable, Equatable {
    public var hidden: Int
    public var layers: Int
    public var heads: Int
    public var keyValueHeads: Int
    public var headDimension: Int
    public var intermediate: Int
    public var vocabulary: Int
    public var positionsMax: Int
    public var ropeTheta: Double
    public var normEpsilon: Double
    public var initializerRange: Double
    public var tiedHead: Bool
    public var bos: Int32?
    public var eos: [Int32]

    public init(
        hidden: Int, layers: Int, heads: Int, keyValueHeads: Int, headDimension: Int? = nil,
        intermediate: Int, vocabulary: Int, positionsMax: Int = 2048, ropeTheta: Double = 10_000,
        normEpsilon: Double = 1e-5, initializerRange: Double = 0.02, tiedHead: Bool = true,
        bos: Int32? = nil, eos: [Int32] = []
    ) {
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.headDimension = headDimension ?? hidden / heads
        self.intermediate = intermediate
        self.vocabulary = vocabulary
        self.positionsMax = positionsMax
        self.ropeTheta = ropeTheta
        self.normEpsilon = normEpsilon
        self.initializerRange = initializerRange
        self.tiedHead = tiedHead
        self.bos = bos
        self.eos = eos
    }
}

/// CONTRACT: where each tensor lies in the flat parameter space.
public struct ParameterLayout: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        /// The tensor's name in a Hugging Face file: `model.layers.0.mlp.up_proj.weight`.
        public var name: String
        public var shape: [Int]
        /// In elements; a multiple of 1,024.
        public var offset: Int
        /// Elements, without padding.
        public var count: Int
        /// Whether weight decay applies: matrices and embeddings yes, norms and biases no.
        public var isDecayed: Bool
    }

    /// In order of offset.
    public var entries: [Entry]
    /// Elements in all, padding included.
    public var count: Int
}
