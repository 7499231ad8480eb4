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

    /// An error about `field`, at the line that names it or what it should be in.
    func error(_ field: String, _ problem: String, remedy: String = "") -> InputError {
        let places = field.split(separator: ".").reversed().lazy.compactMap { name in
            lines.firstIndex { $0.contains("\"\(name)\"") }
        }
        return InputError(
            line: places.first.map { $0 + 1 }, field: field, problem,
            remedy: remedy.isEmpty ? "Nothing was loaded." : "Nothing was loaded. " + remedy)
    }

    func isAbsent(_ field: String) -> Bool { value(field) == nil }

    /// A member that is there and not null.
    func value(_ field: String) -> JSONValue? {
        // A bare nil would be a JSON null here.
        members[field].flatMap { $0 == .null ? Optional.none : .some($0) }
    }

    /// An integer from `least`, 1 if not said, to `max`.
    func size(
        _ field: String, from least: Int64 = 1, max: Int, default absent: Int? = nil
    ) throws(InputError) -> Int {
        guard let value = value(field) else {
            guard let absent else { throw error(field, "missing") }
            return absent
        }
        guard let number = value.integer, number >= least, number <= max else {
            throw error(
                field, "\(value.canonical) is not an integer from \(least) to \(max)")
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

    /// The family that `model_type` names, of which `architectures` is the decoder with a head.
    func architecture() throws(InputError) -> Architecture {
        guard let type = value("model_type") else { throw error("model_type", "missing") }
        let known = Architecture.allCases.map(\.rawValue)
        guard let architecture = type.string.flatMap({ Architecture(rawValue: $0) }) else {
            let near = type.string.flatMap { nearest(to: $0, among: known) }
            throw error(
                "model_type", "\(type.canonical) is not an architecture that can be read",
                remedy: "Known: \(known.joined(separator: ", "))."
                    + (near.map { " Did you mean \($0)?" } ?? ""))
        }
        let name = architecture.family.className
        if let classes = value("architectures"), classes != [.string(name)] {
            throw error(
                "architectures", "\(classes.canonical) is not [\"\(name)\"]",
                remedy: "Only decoders with a language-model head are read.")
        }
        return architecture
    }

    /// Throws where `field` is there and says anything else.
    func require(_ field: String, _ expected: JSONValue) throws(InputError) {
        guard let found = value(field), found != expected else { return }
        if let number = found.number, number == expected.number { return }
        throw error(field, "\(found.canonical) is not supported; \(expected.canonical) is")
    }

    /// As `require`, of an activation that is `absent` where nothing is said.
    func requireActivation(
        _ field: String, _ expected: String, default absent: String
    ) throws(InputError) {
        if isAbsent(field), absent == expected { return }
        try require(field, .string(expected))
    }

    /// A window in tokens; nil where it says null.
    func window(default absent: Int) throws(InputError) -> Int? {
        if members["sliding_window"] == JSONValue.null { return nil }
        return try size("sliding_window", max: 1 << 30, default: absent)
    }

    /// A soft cap; nil where it says null.
    func cap(_ field: String, default absent: Double?) throws(InputError) -> Double? {
        if members[field] == JSONValue.null || isAbsent(field) && absent == nil { return nil }
        return try positive(field, default: absent ?? 1)
    }

    /// Which layers slide, by `layer_types`; nil where there are none.
    func slides(layers: Int) throws(InputError) -> [Bool]? {
        guard let types = value("layer_types") else { return nil }
        let known = ["full_attention", "sliding_attention"]
        var slides: [Bool] = []
        for type in types.array ?? [types] {
            guard let name = type.string, known.contains(name) else {
                throw error(
                    "layer_types",
                    "\(type.canonical) is neither full_attention nor sliding_attention")
            }
            slides.append(name == known[1])
        }
        guard slides.count == layers else {
            throw error("layer_types", "\(slides.count) types for \(layers) layers")
        }
        return slides
    }

    /// What would change the computation and is not built.
    func refuseUnsupported() throws(InputError) {
        try require("partial_rotary_factor", 1)
        try require("attention_dropout", 0)
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
