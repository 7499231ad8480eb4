import FlywheelCore
import Foundation
import Models
import Tensors
import TestSupport
import Testing

/// Configurations as the models were published, by transformers 4.
@Suite struct FamilyConfigurations {
    static func read(_ text: String) async throws -> TransformerConfiguration {
        try await LlamaConfigurations.read(text)
    }

    @Test func `Llama 3.2's waves are stretched`() async throws {
        let it = try await Self.read(
            """
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64,
             "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
             "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
             "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
             "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
             "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
              "original_max_position_embeddings": 8192, "rope_type": "llama3"},
             "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
             "use_cache": true, "vocab_size": 128256}
            """)
        #expect(it.architecture == .llama && it.eos == [128001, 128008, 128009])
        #expect(it.rotary.theta == 500_000 && it.window == nil)
        #expect(
            it.rotary.scaling == .llama3(factor: 32, low: 1, high: 4, original: 8192))
        // The fastest pair turns as ever, the slowest 32 times as slowly.
        let plain = RotarySettings(theta: 500_000).frequencies(pairs: 32)
        let own = it.rotary.frequencies(pairs: 32)
        #expect(own[0] == plain[0] && own[31] == plain[31] / 32)
    }

    @Test func `Mistral slides in every layer, or in none`() async throws {
        let text = """
            {"architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2,
             "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
             "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral",
             "num_attention_heads": 32, "num_hidden_layers": 3, "num_key_value_heads": 8,
             "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096,
             "tie_word_embeddings": false, "torch_dtype": "bfloat16", "vocab_size": 32000}
            """
        let it = try await Self.read(text)
        #expect(it.architecture == .mistral && it.window == 4096)
        #expect(it.slides == [true, true, true] && !it.tiedHead && it.biases.isEmpty)
        let whole = try await Self.read(
            text.replacingOccurrences(
                of: "\"sliding_window\": 4096", with: "\"sliding_window\": null"))
        #expect(whole.window == nil)
    }

    @Test func `Qwen 2.5 has biases, Qwen 3 normed heads`() async throws {
        let text = """
            {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
             "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 896,
             "initializer_range": 0.02, "intermediate_size": 4864, "max_position_embeddings": 32768,
             "max_window_layers": 21, "model_type": "qwen2", "num_attention_heads": 14,
             "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
             "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true,
             "torch_dtype": "bfloat16", "use_cache": true, "use_sliding_window": false,
             "vocab_size": 151936}
            """
        let it = try await Self.read(text)
        #expect(it.architecture == .qwen2 && it.biases == [.heads] && it.tiedHead)
        #expect(it.headDimension == 64 && it.window == nil && !it.normsHeads)
        let sliding = try await Self.read(
            text.replacingOccurrences(
                of: "\"use_sliding_window\": false", with: "\"use_sliding_window\": true"))
        #expect(sliding.window == 32768)
        #expect(sliding.slides == (0..<24).map { $0 >= 21 })
        let long = try await Self.read(
            text.replacingOccurrences(
                of: "\"rope_theta\"",
                with: """
                    "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 32768,
                      "type": "yarn"}, "rope_theta"
                    """))
        #expect(long.rotary.scaling == .yarn(.init(factor: 4, original: 32_768)))
        #expect(abs(long.rotary.scale - (0.1 * log(4) + 1)) < 1e-15)

        let three = try await Self.read(
            """
            {"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
             "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
             "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
             "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
             "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000,
             "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
             "use_cache": true, "use_sliding_window": false, "vocab_size": 151936}
            """)
        #expect(three.architecture == .qwen3 && three.normsHeads && three.biases.isEmpty)
        #expect(three.headDimension == 128 && three.rotary == RotarySettings(theta: 1_000_000))
    }

    @Test func `Gemma 2 caps and slides in every other layer`() async throws {
        let it = try await Self.read(
            """
            {"architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "attn_logit_softcapping": 50.0, "bos_token_id": 2, "cache_implementation": "hybrid",
             "eos_token_id": 1, "final_logit_softcapping": 30.0, "head_dim": 256,
             "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh",
             "hidden_size": 2304, "initializer_range": 0.02, "intermediate_size": 9216,
             "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8,
             "num_hidden_layers": 4, "num_key_value_heads": 4, "pad_token_id": 0,
             "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
             "sliding_window": 4096, "torch_dtype": "float32", "use_cache": true,
             "vocab_size": 256000}
            """)
        #expect(it.architecture == .gemma2 && it.activation == .gelu && it.tiedHead)
        #expect(it.scoreCap == 50 && it.logitCap == 30 && it.queryScalar == 256)
        #expect(it.window == 4096 && it.slides == [true, false, true, false])
        #expect(it.normsFromOne && it.normsBranches && it.scalesEmbedding && !it.normsHeads)
        #expect(it.slidingRotary == nil)
    }

    @Test func `Gemma 3 turns otherwise where it slides`() async throws {
        let text = """
            {"architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "attn_logit_softcapping": null, "bos_token_id": 2, "cache_implementation": "hybrid",
             "eos_token_id": [1, 106], "final_logit_softcapping": null, "head_dim": 256,
             "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152,
             "initializer_range": 0.02, "intermediate_size": 6912, "max_position_embeddings": 32768,
             "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 8,
             "num_key_value_heads": 1, "pad_token_id": 0, "query_pre_attn_scalar": 256,
             "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000, "rope_scaling": null,
             "rope_theta": 1000000, "sliding_window": 512, "sliding_window_pattern": 6,
             "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 262144}
            """
        let it = try await Self.read(text)
        #expect(it.architecture == .gemma3 && it.normsHeads && it.tiedHead)
        #expect(it.scoreCap == nil && it.logitCap == nil && it.window == 512)
        #expect(it.slides == [true, true, true, true, true, false, true, true])
        #expect(it.rotary.theta == 1_000_000 && it.slidingRotary?.theta == 10_000)
        let error = await #expect(throws: InputError.self) {
            try await Self.read(
                text.replacingOccurrences(
                    of: "\"use_cache\"",
                    with: "\"use_bidirectional_attention\": true, \"use_cache\""))
        }
        #expect(error?.field == "use_bidirectional_attention")
    }
}
