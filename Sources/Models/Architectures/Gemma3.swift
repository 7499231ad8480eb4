import FlywheelCore
import Tensors

/// Gemma 3's text decoder (arXiv 2503.19786): Gemma 2 without caps, every head's queries and keys
/// normed, five of six layers sliding, with a rotation of their own.
enum Gemma3Family: Family {
    static let className = "Gemma3ForCausalLM"
    static let defaults = FamilyDefaults(
        keyValueHeads: 4, headDimension: 256, positionsMax: 131_072, theta: 1_000_000,
        tiedHead: true)
    private static let localTheta = 10_000.0

    static func shape(_ it: inout TransformerConfiguration) {
        Gemma2Family.shapeBoth(&it)
        it.normsHeads = true
        it.window = 4096
        it.slides = Gemma2Family.slides(it.layers, every: 6)
        it.slidingRotary = RotarySettings(theta: localTheta)
    }

    static func read(
        _ fields: ConfigurationFields, into it: inout TransformerConfiguration
    ) throws(InputError) {
        let period = try fields.size("sliding_window_pattern", max: 1 << 10, default: 6)
        try Gemma2Family.readBoth(fields, into: &it, every: period)
        it.scoreCap = try fields.cap("attn_logit_softcapping", default: nil)
        it.logitCap = try fields.cap("final_logit_softcapping", default: nil)
        it.slidingRotary = try fields.slidingRotary(
            theta: try fields.positive("rope_local_base_freq", default: localTheta))
    }

    static func members(_ it: TransformerConfiguration) -> [String: JSONValue] {
        var members = Gemma2Family.members(it)
        let local = it.slidingRotary ?? it.rotary
        members["rope_local_base_freq"] = .number(local.theta)
        members["rope_parameters"] = [
            "full_attention": it.rotary.json, "sliding_attention": local.json,
        ]
        return members
    }
}
