/// What `config.json` of this family says.
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
