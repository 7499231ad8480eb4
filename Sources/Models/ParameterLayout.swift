import Tensors

/// Where each tensor lies in the flat parameter space.
public struct ParameterLayout: Sendable, Equatable {
    /// What a tensor is for: how it begins, and whether it decays.
    public enum Role: Sendable { case matrix, gain, bias }

    public struct Entry: Sendable, Equatable {
        /// The tensor's name in a Hugging Face file: `model.layers.0.mlp.up_proj.weight`.
        public var name: String
        public var shape: [Int]
        /// In elements; a multiple of 1,024.
        public var offset: Int
        /// Elements, without padding.
        public var count: Int
        public var role: Role

        /// Whether weight decay applies: matrices and embeddings yes, norms and biases no.
        public var isDecayed: Bool { role == .matrix }
    }

    /// In order of offset.
    public var entries: [Entry]
    /// Elements in all, padding included.
    public var count: Int

    /// Elements that a block has: shards, digests and scales never straddle two tensors.
    public static let block = 1024

    /// Lays out a decoder: embedding, layers in order, final norm, head.
    public init(_ configuration: TransformerConfiguration) {
        self.init()
        let it = configuration
        add(.embedding, [it.vocabulary, it.hidden])
        for layer in 0..<it.layers {
            for part in LayerPart.allCases where it.has(part) {
                let (name, columns) = (TensorName(layer: layer, part, it), it.columns(of: part))
                if let rows = it.rows(of: part) {
                    add(name, [rows, columns])
                    if it.hasBias(part) { add(name.bias, [rows], .bias) }
                } else {
                    add(name.weight, [columns], .gain)
                }
            }
        }
        add(TensorName.finalNorm.weight, [it.hidden], .gain)
        if !it.tiedHead { add(.head, [it.vocabulary, it.hidden]) }
    }

    init() { (entries, count) = ([], 0) }

    private mutating func add(_ name: TensorName, _ shape: [Int]) {
        add(name.weight, shape, .matrix)
    }

    mutating func add(_ name: String, _ shape: [Int], _ role: Role) {
        let elements = shape.reduce(1, *)
        entries.append(
            Entry(name: name, shape: shape, offset: count, count: elements, role: role))
        count += elements.roundedUp(to: Self.block)
    }
}

/// A part of a layer that has weights, in the order of the file.
enum LayerPart: CaseIterable {
    case inputNorm, queries, queryNorm, keys, keyNorm, values, output, attentionNorm, middleNorm
    case gate, up, down, feedNorm
}

extension TransformerConfiguration {
    func has(_ part: LayerPart) -> Bool {
        switch part {
        case .queryNorm, .keyNorm: normsHeads
        case .attentionNorm, .feedNorm: normsBranches
        default: true
        }
    }

    /// Rows of a projection; nil for a norm.
    func rows(of part: LayerPart) -> Int? {
        switch part {
        case .queries: heads * headDimension
        case .keys, .values: keyValueHeads * headDimension
        case .output, .down: hidden
        case .gate, .up: intermediate
        default: nil
        }
    }

    func columns(of part: LayerPart) -> Int {
        switch part {
        case .output: heads * headDimension
        case .down: intermediate
        case .queryNorm, .keyNorm: headDimension
        default: hidden
        }
    }

    func hasBias(_ part: LayerPart) -> Bool {
        switch part {
        case .queries, .keys, .values: biases.contains(.heads)
        case .output: biases.contains(.output)
        case .gate, .up, .down: biases.contains(.feed)
        default: false
        }
    }
}

/// What a tensor is called in a Hugging Face file.
struct TensorName {
    let stem: String

    static let embedding = Self(stem: "model.embed_tokens")
    static let finalNorm = Self(stem: "model.norm")
    static let head = Self(stem: "lm_head")

    private init(stem: String) { self.stem = stem }

    /// The two norms of a layer have one name in most families; where branches are normed too, it
    /// is the attention's branch that has the name of what elsewhere is the norm in the middle.
    init(layer: Int, _ part: LayerPart, _ configuration: TransformerConfiguration) {
        let own =
            switch part {
            case .inputNorm: "input_layernorm"
            case .queries: "self_attn.q_proj"
            case .queryNorm: "self_attn.q_norm"
            case .keys: "self_attn.k_proj"
            case .keyNorm: "self_attn.k_norm"
            case .values: "self_attn.v_proj"
            case .output: "self_attn.o_proj"
            case .attentionNorm: "post_attention_layernorm"
            case .middleNorm:
                configuration.normsBranches
                    ? "pre_feedforward_layernorm" : "post_attention_layernorm"
            case .gate: "mlp.gate_proj"
            case .up: "mlp.up_proj"
            case .down: "mlp.down_proj"
            case .feedNorm: "post_feedforward_layernorm"
            }
        stem = "model.layers.\(layer)." + own
    }

    var weight: String { stem + ".weight" }
    var bias: String { stem + ".bias" }
}
