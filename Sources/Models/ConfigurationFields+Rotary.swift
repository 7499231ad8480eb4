import FlywheelCore
import Tensors

extension ConfigurationFields {
    /// `rope_theta` and `rope_scaling` (transformers 4) or `rope_parameters` (5), of all layers or,
    /// where they differ, of those that do not slide.
    func rotary(theta absent: Double, positionsMax: Int) throws(InputError) -> RotarySettings {
        var theta = try positive("rope_theta", default: absent)
        if theta <= 1 { throw error("rope_theta", "\(theta) is not a number above 1") }
        var scaling = RotarySettings.Scaling.none
        for field in ["rope_parameters", "rope_scaling"] {
            guard let whole = value(field) else { continue }
            let part = try RotaryFields(self, field, whole["full_attention"] ?? whole)
            theta = try part.theta ?? theta
            let found = try part.scaling(positionsMax: positionsMax)
            if found != .none { scaling = found }
        }
        return RotarySettings(theta: theta, scaling: scaling)
    }

    /// The rotation of layers that slide: `rope_parameters.sliding_attention`, or `theta`.
    func slidingRotary(theta: Double) throws(InputError) -> RotarySettings {
        guard let own = value("rope_parameters")?["sliding_attention"], own != .null else {
            return RotarySettings(theta: theta)
        }
        let part = try RotaryFields(self, "rope_parameters.sliding_attention", own)
        return RotarySettings(
            theta: try part.theta ?? theta, scaling: try part.scaling(positionsMax: 1))
    }
}

/// One object that describes a rotation.
private struct RotaryFields {
    private let fields: ConfigurationFields
    private let field: String
    private let members: [String: JSONValue]

    init(
        _ fields: ConfigurationFields, _ field: String, _ value: JSONValue
    ) throws(InputError) {
        guard let members = value.object else { throw fields.error(field, "not an object") }
        (self.fields, self.field, self.members) = (fields, field, members)
    }

    var theta: Double? {
        get throws(InputError) { try number("rope_theta", above: 1) }
    }

    func scaling(positionsMax: Int) throws(InputError) -> RotarySettings.Scaling {
        if let factor = try number("partial_rotary_factor", above: 0), factor != 1 {
            throw fields.error(
                field + ".partial_rotary_factor", "\(factor) is not supported; 1 is")
        }
        let kind = members["rope_type"] ?? members["type"] ?? "default"
        switch kind.string {
        case "default": return .none
        case "linear": return .linear(factor: try required("factor"))
        case "llama3":
            let (low, high) = (
                try required("low_freq_factor"), try required("high_freq_factor")
            )
            guard low < high else {
                throw fields.error(
                    field + ".high_freq_factor", "\(high) is not above low_freq_factor, \(low)")
            }
            return .llama3(
                factor: try required("factor"), low: low, high: high,
                original: try original(positionsMax))
        case "yarn": return .yarn(try yarn(positionsMax))
        default:
            throw fields.error(
                field, "the rotary scaling \(kind.canonical) is not supported",
                remedy: "Known: default, linear, llama3, yarn.")
        }
    }

    private func yarn(_ positionsMax: Int) throws(InputError) -> RotarySettings.YaRN {
        let original = try original(positionsMax)
        return RotarySettings.YaRN(
            factor: try number("factor", above: 0) ?? Double(positionsMax) / Double(original),
            original: original, fast: try number("beta_fast", above: 0) ?? 32,
            slow: try number("beta_slow", above: 0) ?? 1,
            truncates: members["truncate"]?.boolean ?? true,
            attention: try number("attention_factor", above: 0),
            mscale: try number("mscale", above: -1),
            mscaleAllDim: try number("mscale_all_dim", above: -1))
    }

    /// The positions of the first training, all where nothing is said.
    private func original(_ positionsMax: Int) throws(InputError) -> Int {
        let name = "original_max_position_embeddings"
        let number = try number(name, above: 0) ?? Double(positionsMax)
        guard let whole = Int(exactly: number), whole < 1 << 30 else {
            throw fields.error("\(field).\(name)", "\(number) is not a whole number")
        }
        return whole
    }

    private func required(_ name: String) throws(InputError) -> Double {
        guard let number = try number(name, above: 0) else {
            throw fields.error("\(field).\(name)", "missing")
        }
        return number
    }

    private func number(_ name: String, above least: Double) throws(InputError) -> Double? {
        guard let value = members[name], value != .null else { return nil }
        guard let number = value.number, number > least, number.isFinite else {
            throw fields.error(
                "\(field).\(name)", "\(value.canonical) is not a number above \(Int(least))")
        }
        return number
    }
}

extension RotarySettings {
    /// As `rope_parameters` of transformers 5 has it.
    var json: JSONValue {
        var members: [String: JSONValue] = ["rope_theta": .number(theta)]
        switch scaling {
        case .none: members["rope_type"] = "default"
        case .linear(let factor):
            members["rope_type"] = "linear"
            members["factor"] = .number(factor)
        case .llama3(let factor, let low, let high, let original):
            members["rope_type"] = "llama3"
            members["factor"] = .number(factor)
            members["low_freq_factor"] = .number(low)
            members["high_freq_factor"] = .number(high)
            members["original_max_position_embeddings"] = .integer(Int64(original))
        case .yarn(let it):
            members["rope_type"] = "yarn"
            members["factor"] = .number(it.factor)
            members["original_max_position_embeddings"] = .integer(Int64(it.original))
            members["beta_fast"] = .number(it.fast)
            members["beta_slow"] = .number(it.slow)
            members["truncate"] = .boolean(it.truncates)
            members["attention_factor"] = it.attention.map { .number($0) }
            members["mscale"] = it.mscale.map { .number($0) }
            members["mscale_all_dim"] = it.mscaleAllDim.map { .number($0) }
        }
        return .object(members)
    }
}
