import FlywheelCore
import Foundation

/// The members of a `config.json`, read one by one with errors that name field and line.
struct ConfigurationFields {
    private let members: [String: JSONValue]
    private let lines: [Substring]

    init(_ text: Data) throws(InputError) {
        guard let members = try JSONValue(parsing: text).object else {
            throw InputError(
                line: 1, "not a JSON object", remedy: "A configuration begins with {.")
        }
        self.members = members
        lines = String(decoding: text, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
    }

    /// An error about `field`, at the line that names it.
    func error(_ field: String, _ problem: String, remedy: String = "") -> InputError {
        let key = "\"\(field.split(separator: ".").last ?? "")\""
        let line = lines.firstIndex { $0.contains(key) }.map { $0 + 1 }
        return InputError(
            line: line, field: field, problem,
            remedy: remedy.isEmpty ? "Nothing was loaded." : "Nothing was loaded. " + remedy)
    }

    func isAbsent(_ field: String) -> Bool { value(field) == nil }

    /// A member that is there and not null.
    private func value(_ field: String) -> JSONValue? {
        // A bare nil would be a JSON null here.
        members[field].flatMap { $0 == .null ? Optional.none : .some($0) }
    }

    /// An integer from 1 to `max`.
    func size(_ field: String, max: Int, default absent: Int? = nil) throws(InputError) -> Int {
        guard let value = value(field) else {
            guard let absent else { throw error(field, "missing") }
            return absent
        }
        guard let number = value.integer, number >= 1, number <= max else {
            throw error(field, "\(value.canonical) is not an integer from 1 to \(max)")
        }
        return Int(number)
    }

    /// A finite number above 0.
    func positive(_ field: String, default absent: Double) throws(InputError) -> Double {
        guard let value = value(field) else { return absent }
        guard let number = value.number, number > 0, number.isFinite else {
            throw error(field, "\(value.canonical) is not a number above 0")
        }
        return number
    }

    func flag(_ field: String, default absent: Bool) throws(InputError) -> Bool {
        guard let value = value(field) else { return absent }
        guard let flag = value.boolean else {
            throw error(field, "\(value.canonical) is neither true nor false")
        }
        return flag
    }

    /// One id or a list of them.
    func tokens(_ field: String) throws(InputError) -> [Int32] {
        guard let value = value(field) else { return [] }
        var ids: [Int32] = []
        for element in value.array ?? [value] {
            guard let id = element.integer, id >= 0, id <= Int64(Int32.max) else {
                throw error(field, "\(value.canonical) is neither a token id nor a list of them")
            }
            ids.append(Int32(id))
        }
        return ids
    }

    /// `rope_theta` (transformers 4) or `rope_parameters.rope_theta` (5).
    func ropeTheta() throws(InputError) -> Double {
        for field in ["rope_scaling", "rope_parameters"] {
            guard let value = value(field) else { continue }
            guard let scaling = value.object else { throw error(field, "not an object") }
            let kind = scaling["rope_type"] ?? scaling["type"] ?? "default"
            guard kind == "default" else {
                throw error(
                    field, "the rotary scaling \(kind.canonical) is not supported; default is",
                    remedy: "Use a model without rope scaling.")
            }
        }
        if let theta = value("rope_parameters")?["rope_theta"] {
            guard let number = theta.number, number > 1, number.isFinite else {
                throw error(
                    "rope_parameters.rope_theta", "\(theta.canonical) is not a number above 1")
            }
            return number
        }
        let theta = try positive("rope_theta", default: 10_000)
        guard theta > 1 else { throw error("rope_theta", "\(theta) is not a number above 1") }
        return theta
    }

    func checkArchitecture(known: [String]) throws(InputError) {
        guard let type = value("model_type") else { throw error("model_type", "missing") }
        guard let name = type.string, known.contains(name) else {
            let near = type.string.flatMap { nearest(to: $0, among: known) }
            throw error(
                "model_type", "\(type.canonical) is not an architecture that can be read",
                remedy: "Known: \(known.joined(separator: ", "))."
                    + (near.map { " Did you mean \($0)?" } ?? ""))
        }
        guard let classes = value("architectures") else { return }
        guard let names = classes.array?.compactMap(\.string), names == ["LlamaForCausalLM"] else {
            throw error(
                "architectures", "\(classes.canonical) is not [\"LlamaForCausalLM\"]",
                remedy: "Only decoders with a language-model head are read.")
        }
    }

    /// What would change the computation and is not built.
    func refuseUnsupported() throws(InputError) {
        let required: [(field: String, value: JSONValue)] = [
            ("hidden_act", "silu"), ("attention_bias", false), ("mlp_bias", false),
            ("partial_rotary_factor", 1),
        ]
        for (field, expected) in required {
            guard let found = value(field) else { continue }
            if found == expected || (found.number != nil && found.number == expected.number) {
                continue
            }
            throw error(
                field, "\(found.canonical) is not supported; \(expected.canonical) is")
        }
        if let dropout = value("attention_dropout"), dropout.number != 0 {
            throw error("attention_dropout", "\(dropout.canonical) is not supported; 0 is")
        }
        if !isAbsent("quantization_config") {
            throw error(
                "quantization_config", "quantised weights are not supported",
                remedy: "Use the model's full-precision weights.")
        }
        for field in ["torch_dtype", "dtype"] {
            guard let found = value(field) else { continue }
            guard let name = found.string,
                ["float32", "float16", "bfloat16", "auto"].contains(name)
            else {
                throw error(
                    field, "\(found.canonical) is not float32, bfloat16 or float16")
            }
        }
    }
}
