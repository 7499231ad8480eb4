public import Tensors

/// The shape of a decoder: what `config.json` says of it.
///
/// One set of blocks serves all families; what differs between them are the switches here, which
/// each family's own file sets (`Architectures`).
public struct TransformerConfiguration: Sendable, Equatable {
    /// Projections that may have a bias.
    public enum Biased: Sendable, CaseIterable {
        /// Queries, keys and values.
        case heads
        /// What leads from the heads back.
        case output
        /// Gate, up and down.
        case feed
    }

    public var architecture: Architecture
    public var hidden: Int
    public var layers: Int
    public var heads: Int
    public var keyValueHeads: Int
    public var headDimension: Int
    public var intermediate: Int
    public var vocabulary: Int
    public var positionsMax: Int
    public var rotary: RotarySettings
    public var normEpsilon: Double
    public var initializerRange: Double
    public var tiedHead: Bool
    public var bos: Int32?
    public var eos: [Int32]

    public var biases: Set<Biased> = []
    public var activation = Activation.silu
    /// Whether every head's queries and keys are normed before they are rotated.
    public var normsHeads = false
    /// Whether what attention and the gated layer add to the stream is normed first.
    public var normsBranches = false
    /// Whether norms multiply by 1 + w rather than w.
    public var normsFromOne = false
    /// Whether embeddings are multiplied by √`hidden`.
    public var scalesEmbedding = false
    /// Scores are multiplied by this number's ^-½; nil takes `headDimension`.
    public var queryScalar: Double?
    /// Scores become cap · tanh(score / cap).
    public var scoreCap: Double?
    /// Logits become cap · tanh(logit / cap).
    public var logitCap: Double?
    /// In layers that slide a token sees its own and the tokens before it, so many in all.
    public var window: Int?
    /// Which layers slide; false for those beyond its end.
    public var slides: [Bool] = []
    /// The rotation of layers that slide, where it is another.
    public var slidingRotary: RotarySettings?

    /// A decoder of the family `architecture`, whose switches are set as in the published models.
    public init(
        architecture: Architecture = .llama, hidden: Int, layers: Int, heads: Int,
        keyValueHeads: Int, headDimension: Int? = nil, intermediate: Int, vocabulary: Int,
        positionsMax: Int = 2048, ropeTheta: Double = 10_000, normEpsilon: Double = 1e-5,
        initializerRange: Double = 0.02, tiedHead: Bool = true, bos: Int32? = nil,
        eos: [Int32] = []
    ) {
        self.architecture = architecture
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.headDimension = headDimension ?? hidden / heads
        self.intermediate = intermediate
        self.vocabulary = vocabulary
        self.positionsMax = positionsMax
        rotary = RotarySettings(theta: ropeTheta)
        self.normEpsilon = normEpsilon
        self.initializerRange = initializerRange
        self.tiedHead = tiedHead
        self.bos = bos
        self.eos = eos
        architecture.family.shape(&self)
    }
}

extension TransformerConfiguration {
    var gainOffset: Float { normsFromOne ? 1 : 0 }

    /// What embeddings are multiplied by; nil for nothing.
    var embeddingScale: Float? { scalesEmbedding ? Float(Double(hidden).squareRoot()) : nil }

    func slides(_ layer: Int) -> Bool {
        window != nil && layer < slides.count && slides[layer]
    }

    /// The attention of one layer.
    func attention(_ layer: Int) -> AttentionShape {
        AttentionShape(
            heads: heads, keyValueHeads: keyValueHeads, headDimension: headDimension,
            scale: queryScalar.map { Float(1 / $0.squareRoot()) }, cap: scoreCap.map { Float($0) },
            window: slides(layer) ? window : nil)
    }
}
