import Tensors

/// Where each tensor lies in the flat parameter space.
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

    /// Elements that a block has: shards, digests and scales never straddle two tensors.
    public static let block = 1024

    /// Lays out a decoder: embedding, layers in order, final norm, head.
    public init(_ configuration: LlamaConfiguration) {
        self.init()
        let it = configuration
        let (queries, keys) = (it.heads * it.headDimension, it.keyValueHeads * it.headDimension)
        add("model.embed_tokens.weight", [it.vocabulary, it.hidden])
        for layer in 0..<it.layers {
            let name = "model.layers.\(layer)."
            add(name + "input_layernorm.weight", [it.hidden])
            add(name + "self_attn.q_proj.weight", [queries, it.hidden])
            add(name + "self_attn.k_proj.weight", [keys, it.hidden])
            add(name + "self_attn.v_proj.weight", [keys, it.hidden])
            add(name + "self_attn.o_proj.weight", [it.hidden, queries])
            add(name + "post_attention_layernorm.weight", [it.hidden])
            add(name + "mlp.gate_proj.weight", [it.intermediate, it.hidden])
            add(name + "mlp.up_proj.weight", [it.intermediate, it.hidden])
            add(name + "mlp.down_proj.weight", [it.hidden, it.intermediate])
        }
        add("model.norm.weight", [it.hidden])
        if !it.tiedHead { add("lm_head.weight", [it.vocabulary, it.hidden]) }
    }

    private init() { (entries, count) = ([], 0) }

    private mutating func add(_ name: String, _ shape: [Int]) {
        let elements = shape.reduce(1, *)
        entries.append(
            Entry(
                name: name, shape: shape, offset: count, count: elements,
                isDecayed: shape.count > 1))
        count += elements.roundedUp(to: Self.block)
    }
}
