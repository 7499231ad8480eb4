import FlywheelCore
import Foundation
import Models
import Tensors
import TestSupport
import Testing

@Suite struct LlamaConfigurations {
    /// A configuration as transformers 4 writes it, with some lines changed.
    static func text(_ changes: [String: String?] = [:]) -> String {
        var fields: [(String, String?)] = [
            ("architectures", "[\"LlamaForCausalLM\"]"), ("model_type", "\"llama\""),
            ("hidden_size", "64"), ("intermediate_size", "172"), ("num_hidden_layers", "5"),
            ("num_attention_heads", "8"), ("num_key_value_heads", "4"), ("vocab_size", "512"),
            ("max_position_embeddings", "512"), ("rms_norm_eps", "1e-05"),
            ("rope_theta", "50000.0"), ("hidden_act", "\"silu\""),
            ("tie_word_embeddings", "true"), ("bos_token_id", "1"), ("eos_token_id", "2"),
            ("torch_dtype", "\"bfloat16\""),
        ]
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            if let index = fields.firstIndex(where: { $0.0 == name }) {
                fields[index].1 = value
            } else {
                fields.append((name, value))
            }
        }
        let lines = fields.compactMap { name, value in value.map { "  \"\(name)\": \($0)" } }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }

    /// Reads a configuration from a file of this text.
    static func read(_ text: String) async throws -> TransformerConfiguration {
        try await temporaryFolder { folder in
            let path = folder + "/config.json"
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            return try TransformerConfiguration(contentsOf: path)
        }
    }

    @Test func `transformers 4 and 5 mean the same`() async throws {
        let old = try await Self.read(Self.text())
        #expect(
            old
                == TransformerConfiguration(
                    hidden: 64, layers: 5, heads: 8, keyValueHeads: 4, headDimension: 8,
                    intermediate: 172, vocabulary: 512, positionsMax: 512, ropeTheta: 50_000,
                    normEpsilon: 1e-5, initializerRange: 0.02, tiedHead: true, bos: 1, eos: [2]))
        let new = try await Self.read(
            Self.text([
                "rope_theta": String?.none, "torch_dtype": String?.none, "dtype": "\"float32\"",
                "rope_parameters": "{\"rope_theta\": 50000.0, \"rope_type\": \"default\"}",
                "eos_token_id": "[2]", "head_dim": "null", "rope_scaling": "null",
            ]))
        #expect(new == old)
        let many = try await Self.read(
            Self.text([
                "eos_token_id": "[2, 3]", "head_dim": "16", "num_key_value_heads": String?.none,
                "bos_token_id": "null", "tie_word_embeddings": String?.none,
            ]))
        #expect(many.eos == [2, 3] && many.bos == nil && many.headDimension == 16)
        #expect(many.keyValueHeads == 8 && !many.tiedHead)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        var field: String
        var value: String?
        var says: String
        /// The field of the error where it is not the one that was changed.
        var blames: String?
        var testDescription: String { "\(field): \(value ?? "absent")" }

        init(_ field: String, _ value: String?, _ says: String, blames: String? = nil) {
            (self.field, self.value, self.says, self.blames) = (field, value, says, blames)
        }
    }

    static let mistakes = [
        Mistake("model_type", "\"llamma\"", "Did you mean llama?"),
        Mistake(
            "model_type", "\"mamba2\"",
            "Known: llama, mistral, qwen2, qwen3, gemma2, gemma3_text."),
        Mistake("model_type", nil, "missing"),
        Mistake("model_type", "7", "not an architecture"),
        Mistake("architectures", "[\"LlamaForSequenceClassification\"]", "language-model head"),
        Mistake("hidden_size", nil, "missing"),
        Mistake("hidden_size", "\"64\"", "not an integer"),
        Mistake("hidden_size", "-64", "not an integer from 1"),
        Mistake("hidden_size", "64.5", "not an integer"),
        Mistake("hidden_size", "1e18", "not an integer"),
        Mistake("hidden_size", "65", "no multiple of 8", blames: "num_attention_heads"),
        Mistake("num_hidden_layers", "0", "not an integer from 1"),
        Mistake("num_attention_heads", "0", "not an integer from 1"),
        Mistake("num_key_value_heads", "3", "cannot share"),
        Mistake("head_dim", "7", "a head of 7 columns is not supported"),
        Mistake("head_dim", "512", "not an integer from 1 to 256"),
        Mistake("vocab_size", "[]", "not an integer"),
        Mistake("vocab_size", "2", "no id of a vocabulary of 2", blames: "eos_token_id"),
        Mistake("rms_norm_eps", "0", "not a number above 0"),
        Mistake("rms_norm_eps", "\"tiny\"", "not a number above 0"),
        Mistake("rope_theta", "-1", "not a number above 0"),
        Mistake("rope_scaling", "{\"rope_type\": \"longrope\"}", "Known: default, linear"),
        Mistake("rope_scaling", "{\"type\": \"dynamic\", \"factor\": 2.0}", "not supported"),
        Mistake(
            "rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8.0}", "missing",
            blames: "rope_scaling.low_freq_factor"),
        Mistake(
            "rope_scaling", "{\"type\": \"linear\", \"factor\": 0}", "not a number above 0",
            blames: "rope_scaling.factor"),
        Mistake("rope_parameters", "[]", "not an object"),
        Mistake("hidden_act", "\"gelu\"", "\"silu\" is"),
        Mistake("attention_bias", "1", "neither true nor false"),
        Mistake("attention_dropout", "0.1", "not supported; 0 is"),
        Mistake("quantization_config", "{\"bits\": 4}", "quantised"),
        Mistake("tie_word_embeddings", "\"yes\"", "neither true nor false"),
        Mistake("eos_token_id", "[2, \"end\"]", "neither a token id"),
        Mistake("eos_token_id", "512", "no id of a vocabulary"),
        Mistake("bos_token_id", "-1", "neither a token id"),
        Mistake("torch_dtype", "\"int8\"", "not float32"),
    ]

    @Test(arguments: mistakes)
    func `a mistake is named with file, line and field`(mistake: Mistake) async {
        let text = Self.text([mistake.field: mistake.value])
        let blamed = mistake.blames ?? mistake.field
        let error = await #expect(throws: InputError.self) { try await Self.read(text) }
        #expect(error?.field == blamed)
        #expect(error?.file?.hasSuffix("/config.json") == true)
        #expect(error?.description.contains(mistake.says) == true, "\(error as Any)")
        let lines = text.split(separator: "\n")
        let named = blamed.split(separator: ".").reversed().lazy.compactMap { name in
            lines.firstIndex { $0.contains("\"\(name)\"") }
        }
        #expect(error?.line == named.first.map { $0 + 1 })
    }

    @Test(arguments: ["", "[]", "{", "{\"model_type\": llama}", "\u{0}\u{1}"])
    func `what is not a JSON object is refused`(text: String) async {
        let error = await #expect(throws: InputError.self) { try await Self.read(text) }
        #expect(error?.file?.hasSuffix("/config.json") == true)
    }

    @Test func `a missing file is named`() {
        #expect(throws: InputError.self) {
            try TransformerConfiguration(contentsOf: "/nowhere/config.json")
        }
    }
}
