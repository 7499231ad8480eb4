"""Transformers' Llama computed in fp64 throughout: a reference that rounding does not blur.

`model.double()` alone is not that: its norms, softmax and rotary angles go through fp32 by name.
"""
import torch
import transformers.models.llama.modeling_llama as modeling
from transformers import LlamaForCausalLM


class _Torch:
    """The module `torch`, in which fp32 is called fp64."""

    float = float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


class _Rotary(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        powers = torch.arange(0, size, 2, dtype=torch.float64) / size
        self.frequencies = config.rope_parameters["rope_theta"] ** -powers

    def forward(self, x, position_ids):
        angles = position_ids[..., None].double() * self.frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()


def logits(folder, tokens):
    """The logits of every position of a list of token ids, T × V, in fp64."""
    model = LlamaForCausalLM.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager").eval()
    model.model.rotary_emb = _Rotary(model.config)
    modeling.torch = _Torch()
    try:
        with torch.no_grad():
            result = model(torch.tensor([tokens])).logits[0]
    finally:
        modeling.torch = torch
    assert result.dtype == torch.float64
    return result


def rounded(values, digits=12):
    """Nested lists of numbers with so many significant digits."""
    if isinstance(values, list):
        return [rounded(value, digits) for value in values]
    return float(f"{values:.{digits}g}")
