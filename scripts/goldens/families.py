#!/usr/bin/env python3
"""Records what transformers computes for a small random model of each family: Tests/Goldens/families.

Needs torch and transformers: `python3 -m venv V && V/bin/pip install torch transformers numpy`, then
`V/bin/python scripts/goldens/families.py [NAME...]`. A change of the recorded numbers needs a reason.

All numbers are transformers' in fp64 (see double.py): logits of some positions, the loss of every
token, gradients, three steps of AdamW, and a greedy answer. The weights are kept in half precision, as
most models come. Windows are shorter than the row, which is longer than a block of attention.
"""
import json
import pathlib
import sys

import torch
import transformers
from transformers import (
    AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, LlamaConfig, MistralConfig, Qwen2Config,
    Qwen3Config)

import double

goldens = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Goldens" / "families"
torch.set_num_threads(1)

SIZE = dict(
    hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, vocab_size=48, max_position_embeddings=256, rms_norm_eps=1e-5,
    initializer_range=0.2, bos_token_id=1, eos_token_id=2, pad_token_id=None)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
              high_freq_factor=4.0, original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64)
GEMMA3_ROPE = {
    "full_attention": dict(rope_type="linear", rope_theta=100000.0, factor=8.0),
    "sliding_attention": dict(rope_type="default", rope_theta=1000.0)}
FAMILIES = {
    "llama3": LlamaConfig(**SIZE, tie_word_embeddings=True, rope_parameters=LLAMA3),
    "llama_biased": LlamaConfig(
        **SIZE, tie_word_embeddings=False, attention_bias=True, mlp_bias=True,
        rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)),
    "smollm2": LlamaConfig(
        **{**SIZE, "num_attention_heads": 3, "num_key_value_heads": 1, "hidden_size": 30},
        tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=100000.0)),
    "mistral": MistralConfig(**SIZE, tie_word_embeddings=False, sliding_window=24),
    "qwen2": Qwen2Config(**SIZE, tie_word_embeddings=True, rope_parameters=YARN),
    "qwen2_windows": Qwen2Config(
        **SIZE, tie_word_embeddings=False, use_sliding_window=True, sliding_window=20,
        max_window_layers=1),
    "qwen3": Qwen3Config(**SIZE, tie_word_embeddings=True, head_dim=12),
    "gemma2": Gemma2Config(
        **SIZE, head_dim=8, query_pre_attn_scalar=12, sliding_window=24,
        attn_logit_softcapping=4.0, final_logit_softcapping=3.0),
    "gemma3": Gemma3TextConfig(
        **SIZE, head_dim=8, query_pre_attn_scalar=10, sliding_window=24, rope_parameters=GEMMA3_ROPE,
        layer_types=["sliding_attention", "full_attention"]),
}
POSITIONS = [0, 1, 2, 23, 24, 25, 47, 63, 64, 65, 87, 88, 98, 99]
STEPS, RATE = 3, 2e-3


def make(name, config):
    """Writes the random model that the golden is of."""
    torch.manual_seed(sum(map(ord, name)))
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "norm" in parameter_name:  # as initialised they would hide a forgotten gain
                middle = 0.0 if "gemma" in name else 1.0
                parameter.uniform_(middle - 0.5, middle + 0.5)
            elif parameter_name.endswith("bias"):
                parameter.uniform_(-0.5, 0.5)
    model = model.to(torch.float16 if name == "qwen3" else torch.bfloat16)
    model.save_pretrained(goldens / name, safe_serialization=True)


def losses(model, tokens):
    logits = model(tokens).logits[0]
    return logits, torch.nn.functional.cross_entropy(logits[:-1], tokens[0, 1:], reduction="none")


def record(name):
    folder = goldens / name
    tokens = torch.randint(0, 48, (1, 100), generator=torch.Generator().manual_seed(11))
    model = double.load(folder)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    with double.precision():
        logits, each = losses(model, tokens)
        assert logits.dtype == torch.float64
        each.sum().backward()
        expected = {
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "tokens": tokens[0].tolist(),
            "positions": POSITIONS,
            "logits": double.rounded(logits[POSITIONS].tolist(), 8),
            "losses": double.rounded(each.tolist(), 8),
            "gradient": {
                name: {
                    "norm": double.rounded(parameter.grad.norm().item(), 8),
                    "first": double.rounded(parameter.grad.flatten()[:6].tolist(), 8),
                }
                for name, parameter in model.named_parameters()
            },
        }
        greedy = model.generate(tokens[:, :20], max_new_tokens=60, do_sample=False,
                                eos_token_id=None, output_logits=True, return_dict_in_generate=True)
        gaps = [two[0] - two[1] for two in (row[0].topk(2).values for row in greedy.logits)]
        print(name, "smallest gap of two best logits:", min(gaps).item())
        assert min(gaps) > 1e-4
        expected["greedy"] = greedy.sequences[0].tolist()

        decayed = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() < 2]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
            lr=RATE, betas=(0.9, 0.95), eps=1e-8)
        means = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            mean = losses(model, tokens)[1].mean()
            means.append(mean.item())
            mean.backward()
            optimizer.step()
        means.append(losses(model, tokens)[1].mean().item())
    expected["steps"] = {
        "rate": RATE, "losses": double.rounded(means, 9),
        "weights": {
            name: double.rounded(parameter.flatten()[:4].tolist(), 9)
            for name, parameter in model.named_parameters()
        },
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    (folder / "generation_config.json").unlink(missing_ok=True)


goldens.mkdir(parents=True, exist_ok=True)
for name in sys.argv[1:] or FAMILIES:
    make(name, FAMILIES[name])
    record(name)
    print(name, {path.name: path.stat().st_size for path in sorted((goldens / name).iterdir())})
