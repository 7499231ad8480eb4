import FlywheelCore

/// Qwen 3 (arXiv 2505.09388): Qwen 2 without biases, every head's queries and keys normed.
enum Qwen3Family: Family {
    static let className = "Qwen3ForCausalLM"
    static let defaults = FamilyDefaults(
        keyValueHeads: 32, headDimension: 128, positionsMax: 32_768)

    static func shape(_ it: inout TransformerConfiguration) { it.normsHeads = true }

    static func read(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration
    ) throws(InputError) {
        try Qwen2Family.readWindow(fields, into: &it)
        if try fields.flag("attention_bias", default: false) { it.biases = [.heads, .output] }
    }

    static func members(_ it: TransformerConfiguration) -> [String: JSONValue] {
        var members = Qwen2Family.windowMembers(it)
        members["attention_bias"] = .boolean(it.biases.contains(.heads))
        return members
    }
}
