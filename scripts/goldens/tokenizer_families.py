#!/usr/bin/env python3
"""Records what the `tokenizers` library makes of texts of chance: Tests/Goldens/tokenizers.

Two small vocabularies are learned, one of bytes and one of characters, and put among the steps of real
families (`scripts/bench/tokenizer_files.py`). Needs tokenizers 0.23.3: `python3 -m venv V && V/bin/pip
install tokenizers==0.23.3`, then `V/bin/python scripts/goldens/tokenizer_families.py`. A change of what is
recorded needs a reason.
"""

import json
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "scripts/bench"))

import tokenizer_files  # noqa: E402
import tokenizer_texts  # noqa: E402
from tokenizers import Tokenizer, __version__, models, pre_tokenizers, trainers  # noqa: E402

SEED = 7
corpus = tokenizer_texts.texts(SEED, 2_000)
learn = [t for t in corpus if len(set(t)) > 3]


def trained(size, pre_tokenizer, specials, alphabet, limit):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=specials, initial_alphabet=alphabet, limit_alphabet=limit, show_progress=False)
    tokenizer.train_from_iterator(learn, trainer)
    return json.loads(tokenizer.to_str())


of_bytes = trained(460, pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"], pre_tokenizers.ByteLevel.alphabet(), 256)
byte_tokens = [f"<0x{b:02X}>" for b in range(256)]
of_characters = trained(
    520, pre_tokenizers.Metaspace(), ["<unk>", "<s>", "</s>", *byte_tokens], [], 120)

vocab = of_characters["model"]["vocab"]
vocab.setdefault("word", len(vocab))
gpt2 = tokenizer_files.file(
    of_bytes["model"]["vocab"], of_bytes["model"]["merges"], tokenizer_files.byte_level(),
    added_tokens=[tokenizer_files.added(0, "<|endoftext|>")])
cl100k = tokenizer_files.changed(
    gpt2, pre_tokenizer=tokenizer_files.sequence(
        tokenizer_files.split(tokenizer_files.GPT4), tokenizer_files.byte_level(use_regex=False)))
replace = lambda a, b: {"type": "Replace", "pattern": {"String": a}, "content": b}
phi3 = tokenizer_files.file(
    vocab, of_characters["model"]["merges"], None,
    normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")]},
    decoder={"type": "Sequence", "decoders": [
        replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    added_tokens=[tokenizer_files.added(i, c) for i, c in enumerate(["<unk>", "<s>", "</s>"])])
phi3["model"] |= {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}

first = {"gpt2": gpt2, "cl100k": cl100k, "phi3": phi3}
tokenizers = first | tokenizer_files.in_the_way_of_others(first)
texts = tokenizer_texts.texts(SEED + 1, 12)
recorded = {"tokenizers": __version__, "seed": SEED, "texts": texts, "models": {}, "families": {}}
for name, value in tokenizers.items():
    tokenizer = Tokenizer.from_str(json.dumps(value))
    encodings = [tokenizer.encode(text) for text in texts]
    kind = "characters" if value["model"]["unk_token"] or "nothing" in name else "bytes"
    model = value.pop("model")
    recorded["models"][kind] = {"vocab": model.pop("vocab"), "merges": [" ".join(m) if isinstance(m, list) else m for m in model.pop("merges")]}
    recorded["families"][name] = {
        "model": kind, "options": model, "file": {k: v for k, v in value.items() if k not in ["version", "truncation", "padding"]},
        "ids": [e.ids for e in encodings], "decoded": [tokenizer.decode(e.ids) for e in encodings],
    }
folder = root / "Tests/Goldens/tokenizers"
folder.mkdir(parents=True, exist_ok=True)
lines = json.dumps(recorded, ensure_ascii=True, separators=(",", ":")).replace('"families":', '\n"families":').replace('"decoded":', '\n"decoded":')
(folder / "families.json").write_text(lines + "\n")
print(len(lines), len(tokenizers), "families")
