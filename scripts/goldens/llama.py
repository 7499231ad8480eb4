#!/usr/bin/env python3
"""Records what transformers computes for a small random Llama: Tests/Goldens/llama.

Needs torch and transformers: `python3 -m venv V && V/bin/pip install torch transformers numpy`, then
`V/bin/python scripts/goldens/llama.py`. A change of the recorded numbers needs a reason.

Logits are transformers' in fp64 (see double.py), so that all of a difference is ours; its own in fp32
are printed for comparison.
"""
import json
import pathlib

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

import double

folder = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Goldens" / "llama"
folder.mkdir(parents=True, exist_ok=True)
torch.manual_seed(7)
torch.set_num_threads(1)

config = LlamaConfig(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, vocab_size=64, max_position_embeddings=128, rms_norm_eps=1e-5,
    initializer_range=0.2, tie_word_embeddings=False, bos_token_id=1, eos_token_id=[2, 3],
    attn_implementation="eager",
)
model = LlamaForCausalLM(config).float().eval()
with torch.no_grad():
    for name, parameter in model.named_parameters():
        if "norm" in name:  # all 1 would hide a forgotten gain
            parameter.uniform_(0.5, 1.5)
model.save_pretrained(folder, safe_serialization=True)
# The same in shards, as large models come.
model.save_pretrained(folder / "shards", safe_serialization=True, max_shard_size="40KB")

tokens = torch.randint(0, config.vocab_size, (1, 40))
logits = model(tokens).logits
losses = torch.nn.functional.cross_entropy(logits[0, :-1], tokens[0, 1:], reduction="none")
losses.sum().backward()
generated = model.generate(tokens[:, :8], max_new_tokens=24, do_sample=False, eos_token_id=None)

exact = double.logits(folder, tokens[0].tolist())
scale = torch.maximum(exact.abs(), exact.pow(2).mean(-1, keepdim=True).sqrt())
print("fp32 differs, of max(|logit|, rms):", ((logits[0] - exact).abs() / scale).max().item())

expected = {
    "transformers": transformers.__version__,
    "torch": torch.__version__,
    "tokens": tokens[0].tolist(),
    "logits": double.rounded(exact.tolist(), 10),
    "losses": [float(f"{x:.8g}") for x in losses.tolist()],
    "gradient": {
        name: {
            "norm": parameter.grad.norm().item(),
            "first": parameter.grad.flatten()[:8].tolist(),
        }
        for name, parameter in model.named_parameters()
    },
    "greedy": generated[0].tolist(),
}
(folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
print({path.name: path.stat().st_size for path in sorted(folder.rglob("*.*"))})
