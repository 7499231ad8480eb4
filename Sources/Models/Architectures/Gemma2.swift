import FlywheelCore
import Tensors

/// Gemma 2 (arXiv 2408.00118): GeGLU, norms of 1 + w around every branch, scaled embeddings, soft
/// caps on scores and logits, and a window in every other layer.
enum Gemma2Family: Family {
    static let className = "Gemma2ForCausalLM"
    static let defaults = FamilyDefaults(
        keyValueHeads: 4, headDimension: 256, positionsMax: 8192, tiedHead: true)

    static func shape(_ it: inout TransformerConfiguration) {
        shapeBoth(&it)
        it.window = 4096
        it.slides = slides(it.layers, every: 2)
        (it.scoreCap, it.logitCap) = (50, 30)
    }

    static func read(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration
    ) throws(InputError) {
        try readBoth(fields, into: &it, every: 2)
        it.scoreCap = try fields.cap("attn_logit_softcapping", default: 50)
        it.logitCap = try fields.cap("final_logit_softcapping", default: 30)
    }

    static func members(_ it: TransformerConfiguration) -> [String: JSONValue] {
        var members = membersOfBoth(it)
        members["attn_logit_softcapping"] = .init(it.scoreCap)
        members["final_logit_softcapping"] = .init(it.logitCap)
        return members
    }

    // MARK: What Gemma 2 and 3 share

    static func shapeBoth(_ it: inout TransformerConfiguration) {
        it.activation = .gelu
        it.normsBranches = true
        it.normsFromOne = true
        it.scalesEmbedding = true
    }

    /// All layers slide but every `period`th.
    static func slides(_ layers: Int, every period: Int) -> [Bool] {
        (1...max(layers, 1)).map { $0 % period != 0 }
    }

    static func readBoth(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration, every period: Int
    ) throws(InputError) {
        try fields.requireActivation(
            "hidden_activation", "gelu_pytorch_tanh", default: "gelu_pytorch_tanh")
        try fields.require("use_bidirectional_attention", false)
        if try fields.flag("attention_bias", default: false) { it.biases = [.heads, .output] }
        it.queryScalar = try fields.positive("query_pre_attn_scalar", default: 256)
        it.window = try fields.window(default: 4096)
        it.slides = try fields.slides(layers: it.layers) ?? slides(it.layers, every: period)
    }

    static func membersOfBoth(_ it: TransformerConfiguration) -> [String: JSONValue] {
        let scalar = it.queryScalar ?? Double(it.headDimension)
        return [
            "attention_bias": .boolean(it.biases.contains(.heads)),
            "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh",
            "layer_types": it.layerTypes,
            // An integer by its type in transformers 5, where it is one.
            "query_pre_attn_scalar": Int64(exactly: scalar).map { .integer($0) }
                ?? .number(scalar),
            "sliding_window": .init(it.window),
        ]
    }
}
