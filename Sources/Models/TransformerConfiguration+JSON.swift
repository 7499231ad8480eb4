import FlywheelCore
import Foundation
import Tensors

extension TransformerConfiguration {
    /// Reads a `config.json` as transformers 4 and 5 write it.
    ///
    /// Throws `InputError` naming file, line and field of what is missing, malformed, or asks for
    /// something that this decoder does not do.
    public init(contentsOf path: String) throws {
        let text: Data
        do {
            text = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw InputError(
                file: path, "cannot be read: \(error.localizedDescription)",
                remedy: "Give a Hugging Face folder, which has a config.json.")
        }
        do {
            try self.init(json: text)
        } catch {
            throw error.inFile(path)
        }
    }

    /// Reads the `config.json` of a folder, and which tokens end an answer from its
    /// `generation_config.json`, where there is one that says so, as transformers does.
    public init(folder: String) throws {
        try self.init(contentsOf: folder + "/config.json")
        let path = folder + "/generation_config.json"
        guard let text = FileManager.default.contents(atPath: path) else { return }
        do throws(InputError) {
            let fields = try ConfigurationFields(text)
            let eos = try fields.tokens("eos_token_id")
            try checkIDs(eos, fields, "eos_token_id")
            if !eos.isEmpty { self.eos = eos }
        } catch {
            throw error.inFile(path)
        }
    }

    /// Reads the text of a `config.json`.
    init(json text: Data) throws(InputError) {
        let fields = try ConfigurationFields(text)
        let architecture = try fields.architecture()
        let (family, defaults) = (architecture.family, architecture.family.defaults)
        try fields.refuseUnsupported()
        let hidden = try fields.size("hidden_size", max: 1 << 16)
        let heads = try fields.size("num_attention_heads", max: 1 << 12)
        let positionsMax = try fields.size(
            "max_position_embeddings", max: 1 << 24, default: defaults.positionsMax)
        self.init(
            architecture: architecture, hidden: hidden,
            layers: try fields.size("num_hidden_layers", max: 1 << 10), heads: heads,
            keyValueHeads: try fields.size(
                "num_key_value_heads", max: 1 << 12, default: defaults.keyValueHeads ?? heads),
            headDimension: try fields.size(
                "head_dim", max: AttentionShape.headDimensionMax,
                default: defaults.headDimension ?? hidden / heads),
            intermediate: try fields.size("intermediate_size", max: 1 << 18),
            vocabulary: try fields.size("vocab_size", max: 1 << 22), positionsMax: positionsMax,
            normEpsilon: try fields.positive("rms_norm_eps", default: 1e-6),
            initializerRange: try fields.positive("initializer_range", default: 0.02),
            tiedHead: try fields.flag("tie_word_embeddings", default: defaults.tiedHead),
            bos: try fields.tokens("bos_token_id").first, eos: try fields.tokens("eos_token_id"))
        rotary = try fields.rotary(theta: defaults.theta, positionsMax: positionsMax)
        try family.read(fields, into: &self)
        try check(fields)
    }

    /// What holds between fields.
    private func check(_ fields: ConfigurationFields) throws(InputError) {
        if heads % keyValueHeads != 0 {
            throw fields.error(
                "num_key_value_heads",
                "\(heads) attention heads cannot share \(keyValueHeads) key-value heads evenly")
        }
        if fields.isAbsent("head_dim"), architecture.family.defaults.headDimension == nil,
            hidden % heads != 0
        {
            throw fields.error(
                "num_attention_heads", "hidden_size \(hidden) is no multiple of \(heads)")
        }
        if headDimension == 0 || headDimension % 2 != 0
            || headDimension > AttentionShape.headDimensionMax
        {
            throw fields.error(
                fields.isAbsent("head_dim") ? "num_attention_heads" : "head_dim",
                "a head of \(headDimension) columns is not supported; "
                    + "even sizes to \(AttentionShape.headDimensionMax) are")
        }
        try checkIDs(bos.map { [$0] } ?? [], fields, "bos_token_id")
        try checkIDs(eos, fields, "eos_token_id")
    }

    private func checkIDs(
        _ ids: [Int32], _ fields: ConfigurationFields, _ field: String
    ) throws(InputError) {
        if let id = ids.first(where: { $0 >= vocabulary }) {
            throw fields.error(field, "\(id) is no id of a vocabulary of \(vocabulary)")
        }
    }

    /// The configuration as transformers reads it, for weights in fp32.
    var json: String {
        let family = architecture.family
        var members: [String: JSONValue] = [
            "architectures": [.string(family.className)],
            "attention_dropout": 0.0,
            "bos_token_id": bos.map { .integer(Int64($0)) } ?? .null,
            "dtype": "float32",
            "eos_token_id": eosValue,
            "head_dim": .integer(Int64(headDimension)),
            "hidden_size": .integer(Int64(hidden)),
            "initializer_range": .number(initializerRange),
            "intermediate_size": .integer(Int64(intermediate)),
            "max_position_embeddings": .integer(Int64(positionsMax)),
            "model_type": .string(architecture.rawValue),
            "num_attention_heads": .integer(Int64(heads)),
            "num_hidden_layers": .integer(Int64(layers)),
            "num_key_value_heads": .integer(Int64(keyValueHeads)),
            "rms_norm_eps": .number(normEpsilon),
            "rope_parameters": rotary.json,
            "rope_theta": .number(rotary.theta),
            "tie_word_embeddings": .boolean(tiedHead),
            "torch_dtype": "float32",
            "use_cache": true,
            "vocab_size": .integer(Int64(vocabulary)),
        ]
        if rotary.scaling != .none { members["rope_scaling"] = rotary.json }
        members.merge(family.members(self)) { _, own in own }
        return Self.object(members.sorted { $0.key < $1.key })
    }

    /// What each layer attends to.
    var layerTypes: JSONValue {
        .array((0..<layers).map { slides($0) ? "sliding_attention" : "full_attention" })
    }

    /// What `generation_config.json` says: where an answer ends.
    var generationJSON: String {
        Self.object([
            ("bos_token_id", bos.map { .integer(Int64($0)) } ?? .null),
            ("eos_token_id", eosValue),
        ])
    }

    private var eosValue: JSONValue {
        switch eos.count {
        case 0: .null
        case 1: .integer(Int64(eos[0]))
        default: .array(eos.map { .integer(Int64($0)) })
        }
    }

    private static func object(_ members: [(String, JSONValue)]) -> String {
        let lines = members.map { "  \"\($0.0)\": \($0.1.canonical)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }
}
