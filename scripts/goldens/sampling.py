#!/usr/bin/env python3
"""Records what is left to choose from after transformers' logits processors: Tests/Goldens/sampling.json.

Environment as for llama.py. Processors are put in order by transformers' own `_get_logits_processor`, so
the order is tested with them. Presence and frequency penalties are not among them.
"""
import json
import pathlib
import random

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

import double

golden = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Goldens" / "sampling.json"
VOCABULARY = 60
numbers = random.Random(3)
torch.manual_seed(3)
model = LlamaForCausalLM(LlamaConfig(
    hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
    vocab_size=VOCABULARY))


def maybe(value):
    return value if numbers.random() < 0.6 else None


def case():
    logits = double.rounded((torch.randn(VOCABULARY) * numbers.uniform(0.5, 5)).tolist(), 5)
    context = [numbers.randrange(VOCABULARY) for _ in range(12)]
    settings = {
        "temperature": round(numbers.uniform(0.3, 2), 3),
        "topK": maybe(numbers.randrange(1, 40)),
        "topP": maybe(round(numbers.uniform(0.1, 0.99), 3)),
        "minP": maybe(round(numbers.uniform(0.001, 0.4), 3)),
        "repetitionPenalty": maybe(round(numbers.uniform(0.6, 1.8), 3)),
        "logitBias": {str(numbers.randrange(VOCABULARY)): round(numbers.uniform(-5, 5), 3)
                      for _ in range(numbers.randrange(3))},
    }
    bias = {(int(token),): value for token, value in settings["logitBias"].items()}
    config = GenerationConfig(
        do_sample=True, temperature=settings["temperature"], top_k=settings["topK"] or 0,
        top_p=settings["topP"] or 1.0, min_p=settings["minP"],
        repetition_penalty=settings["repetitionPenalty"] or 1.0, sequence_bias=bias or None)
    config, _ = model._prepare_generation_config(config)
    processors = model._get_logits_processor(
        config, input_ids_seq_length=12, encoder_input_ids=None,
        prefix_allowed_tokens_fn=None, logits_processor=[], device="cpu")
    scores = processors(torch.tensor([context]), torch.tensor([logits], dtype=torch.float32))
    left = scores.double().softmax(-1)[0].tolist()
    names = [type(processor).__name__ for processor in processors]
    return {"logits": logits, "context": context, **settings,
            "left": double.rounded(left, 5)}, names


cases, names = zip(*(case() for _ in range(40)))
print(max(names, key=len))
golden.write_text(json.dumps({"cases": cases}) + "\n")
print(golden.stat().st_size, "bytes; tokens left:",
      sorted(sum(p > 0 for p in it["left"]) for it in cases))
