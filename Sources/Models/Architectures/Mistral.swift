import FlywheelCore

/// Mistral (Jiang and others, arXiv 2310.06825): Llama, with a window in every layer or in none.
enum MistralFamily: Family {
    static let className = "MistralForCausalLM"
    static let defaults = FamilyDefaults(keyValueHeads: 8, positionsMax: 4096 * 32)

    static func shape(_ it: inout TransformerConfiguration) {
        it.slides = Array(repeating: true, count: it.layers)
    }

    static func read(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration
    ) throws(InputError) {
        try fields.requireActivation("hidden_act", "silu", default: "silu")
        it.window = try fields.window(default: 4096)
    }

    static func members(_ it: TransformerConfiguration) -> [String: JSONValue] {
        ["hidden_act": "silu", "sliding_window": .init(it.window)]
    }
}
