import FlywheelCore

/// Qwen 2 and 2.5 (arXiv 2412.15115): Llama, with a bias on queries, keys and values, and a window
/// in the upper layers where it is switched on.
enum Qwen2Family: Family {
    static let className = "Qwen2ForCausalLM"
    static let defaults = FamilyDefaults(keyValueHeads: 32, positionsMax: 32_768)

    static func shape(_ it: inout TransformerConfiguration) { it.biases = [.heads] }

    static func read(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration
    ) throws(InputError) {
        try readWindow(fields, into: &it)
    }

    static func members(_ it: TransformerConfiguration) -> [String: JSONValue] {
        windowMembers(it)
    }

    /// The window as both generations of Qwen have it.
    static func readWindow(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration
    ) throws(InputError) {
        try fields.requireActivation("hidden_act", "silu", default: "silu")
        guard try fields.flag("use_sliding_window", default: false) else { return }
        it.window = try fields.window(default: 4096)
        let first = try fields.size("max_window_layers", from: 0, max: 1 << 10, default: 28)
        it.slides =
            try fields.slides(layers: it.layers) ?? (0..<it.layers).map { $0 >= first }
    }

    static func windowMembers(_ it: TransformerConfiguration) -> [String: JSONValue] {
        [
            "hidden_act": "silu", "layer_types": it.layerTypes,
            "max_window_layers": .integer(
                Int64(it.slides.firstIndex(of: true) ?? it.layers)),
            "sliding_window": .init(it.window),
            "use_sliding_window": .boolean(it.window != nil),
        ]
    }
}
