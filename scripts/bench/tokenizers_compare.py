"""Counts the texts of chance on which Flywheel and Hugging Face's `tokenizers` differ.

Compared are the ids with special tokens, the text that decoding gives back, the same as it is streamed,
and the ranges of tokens. Ranges of ours are of bytes, and follow each other without gap; theirs are of
characters. So theirs must be what ours touch, but for tokens that normalization put in or took out.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import tokenizer_files
import tokenizer_texts
import tokenizers


# Where the library's ranges are not those of the text: after characters that a model leaves out; and
# where a blank that was put before a word is trimmed off, though it stood for nothing.
WITHOUT_RANGES = ["byte_bpe_2k", "nothing", "roberta"]


def characters(text, ranges):
    """The characters that ranges of bytes touch."""
    at = [i for i, c in enumerate(text) for _ in c.encode()] + [len(text)]
    return [(at[a], at[b - 1] + 1 if b > a else at[a]) for a, b in ranges]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--flywheel", default=".build/release/flywheel")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--texts", type=int, default=100_000, help="for each tokenizer")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--show", type=int, default=3)
    options = parser.parse_args()

    texts = tokenizer_texts.texts(options.seed, options.texts)
    print(f"tokenizers {tokenizers.__version__}, seed {options.seed}, {len(texts)} texts each")
    print(f"{'tokenizer':<14}{'ids':>8}{'text':>8}{'streamed':>10}{'ranges':>8}")
    with tempfile.TemporaryDirectory() as folder:
        real = tokenizer_files.real(options.data)
        folders = tokenizer_files.write(real | tokenizer_files.in_the_way_of_others(real), folder)
        lines = pathlib.Path(folder) / "texts.jsonl"
        lines.write_text("".join(json.dumps(t, ensure_ascii=False) + "\n" for t in texts))
        differences = 0
        for name, path in folders.items():
            if options.only and name not in options.only:
                continue
            differences += compare(name, path, texts, lines, options)
        print(f"{differences} differences")


def compare(name, path, texts, lines, options):
    ours = subprocess.Popen(
        [options.flywheel, "bench", "tokenize", path, lines, "--lines", "--print"], stdout=subprocess.PIPE)
    theirs = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
    counts = dict.fromkeys(["ids", "text", "streamed", "ranges"], 0)
    shown = 0
    for text, line in zip(texts, ours.stdout, strict=True):
        our, their = json.loads(line), theirs.encode(text)
        decoded = theirs.decode(their.ids)
        is_plain = name not in WITHOUT_RANGES and theirs.normalizer is None
        ranges = [(o, t) for o, t, added in zip(
            characters(text, our["offsets"]), their.offsets, their.special_tokens_mask) if not added]
        found = {
            "ids": our["ids"] != their.ids,
            "text": our["text"] != decoded,
            "streamed": our["streamed"] != our["text"],
            "ranges": is_plain and any(o != t and o[0] < o[1] for o, t in ranges),
        }
        for key, is_different in found.items():
            counts[key] += is_different
        if any(found.values()) and shown < options.show:
            shown += 1
            print("  ", [k for k, v in found.items() if v], ascii(text))
            print("     ours  ", our["ids"], ascii(our["text"]), characters(text, our["offsets"]))
            print("     theirs", their.ids, ascii(decoded), their.offsets)
    ours.wait()
    print(f"{name:<14}{counts['ids']:>8}{counts['text']:>8}{counts['streamed']:>10}{counts['ranges']:>8}", flush=True)
    return sum(counts.values())


if __name__ == "__main__":
    main()
