import FlywheelCore

/// Llama 2 and 3 (Touvron and others, arXiv 2307.09288; arXiv 2407.21783), and SmolLM2, which has
/// their form: the shared blocks as they are.
enum LlamaFamily: Family {
    static let className = "LlamaForCausalLM"
    static let defaults = FamilyDefaults(positionsMax: 2048)

    static func shape(_ it: inout TransformerConfiguration) {}

    static func read(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration
    ) throws(InputError) {
        try fields.requireActivation("hidden_act", "silu", default: "silu")
        if try fields.flag("attention_bias", default: false) {
            it.biases.formUnion([.heads, .output])
        }
        if try fields.flag("mlp_bias", default: false) { it.biases.insert(.feed) }
    }

    static func members(_ it: TransformerConfiguration) -> [String: JSONValue] {
        [
            "attention_bias": .boolean(it.biases.contains(.heads)), "hidden_act": "silu",
            "mlp_bias": .boolean(it.biases.contains(.feed)),
        ]
    }
}
