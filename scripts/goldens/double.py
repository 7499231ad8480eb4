"""Transformers computed in fp64 throughout: a reference that rounding does not blur.

`model.double()` alone is not that: norms, softmax, rotary angles and scales of embeddings go through
fp32 by name. In here that name means fp64.
"""
import contextlib
import sys

import torch
from transformers import AutoModelForCausalLM


class _Torch:
    """The module `torch`, in which fp32 is called fp64."""

    float = float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@contextlib.contextmanager
def precision():
    """Models that are made and called in here compute in fp64."""
    renamed = [
        module for name, module in list(sys.modules.items())
        if name.startswith("transformers.") and getattr(module, "torch", None) is torch
        and ("modeling_" in name)]
    to_float = torch.Tensor.float
    default = torch.get_default_dtype()
    try:
        for module in renamed:
            module.torch = _Torch()
        torch.Tensor.float = torch.Tensor.double
        torch.set_default_dtype(torch.float64)
        yield
    finally:
        torch.set_default_dtype(default)
        torch.Tensor.float = to_float
        for module in renamed:
            module.torch = torch


def load(folder):
    """The model of a folder, to be called within `precision`."""
    AutoModelForCausalLM.from_pretrained(folder)  # imports what `precision` renames
    with precision():
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float64, attn_implementation="eager").eval()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        assert tensor.dtype == torch.float64 or not tensor.is_floating_point(), name
    return model


def logits(folder, tokens):
    """The logits of every position of a list of token ids, T × V, in fp64."""
    model = load(folder)
    with precision(), torch.no_grad():
        result = model(torch.tensor([tokens])).logits[0]
    assert result.dtype == torch.float64
    return result


def rounded(values, digits=12):
    """Nested lists of numbers with so many significant digits."""
    if isinstance(values, list):
        return [rounded(value, digits) for value in values]
    return float(f"{values:.{digits}g}")
