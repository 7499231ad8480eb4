"""Encoding by Flywheel and by Hugging Face's `tokenizers`, alternating, one thread each.

Each round runs both on each text; what counts are the medians of the rounds. Time is that of the thread on
a core, as others may use the machine. The ids must be the same.
"""

import argparse
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizer_files  # noqa: E402
import tokenizers  # noqa: E402


def ours(options, folder, file, lines):
    command = [options.flywheel, "bench", "tokenize", folder, file, "--repeats", str(options.repeats), "--json"]
    result = subprocess.run(command + (["--lines"] if lines else []), check=True, stdout=subprocess.PIPE)
    measured = json.loads(result.stdout)
    return measured["seconds"], measured["digest"]


def theirs(options, tokenizer, texts):
    seconds = []
    for _ in range(options.repeats + 1):
        start = time.thread_time()
        encodings = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        seconds.append(time.thread_time() - start)
    digest = hashlib.sha256()
    for encoding in encodings:
        for number in encoding.ids:
            digest.update(number.to_bytes(4, "little"))
    return statistics.median(seconds[1:]), digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--flywheel", default=".build/release/flywheel")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="within a round")
    parser.add_argument("--only", nargs="*", default=["gpt2", "llama3", "phi3", "phi2", "cl100k", "qwen", "gemma", "gpt-oss", "deepseek"])
    options = parser.parse_args()
    data = pathlib.Path(options.data)

    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        real = tokenizer_files.real(data)
        folders = tokenizer_files.write(real | tokenizer_files.in_the_way_of_others(real), work)
        rows = [json.loads(line)["text"] for line in (data / "wiki_sentences/sentences_dev.jsonl").open()]
        whole = (data / "tiny_shakespeare/train.txt").read_text()
        files = {"tiny_shakespeare": ([whole], False), "wiki_sentences": (rows, True)}
        for name, (texts, lines) in files.items():
            encoded = [json.dumps(t, ensure_ascii=False) for t in texts] if lines else texts
            (work / name).write_text("\n".join(encoded), newline="")
        print(f"tokenizers {tokenizers.__version__}, {options.rounds} rounds; MB/s")
        print(f"{'tokenizer':<12}{'text':<18}{'flywheel':>10}{'tokenizers':>12}{'ratio':>8}")
        for name in options.only:
            tokenizer = tokenizers.Tokenizer.from_file(str(folders[name] / "tokenizer.json"))
            for file, (texts, lines) in files.items():
                measure(options, name, folders[name], tokenizer, file, work / file, texts, lines)


def measure(options, name, folder, tokenizer, file, path, texts, lines):
    our, their = [], []
    for _ in range(options.rounds):
        seconds, our_digest = ours(options, folder, path, lines)
        our.append(seconds)
        seconds, their_digest = theirs(options, tokenizer, texts)
        their.append(seconds)
        if our_digest != their_digest:
            sys.exit(f"{name}, {file}: the ids differ")
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    a, b = statistics.median(our), statistics.median(their)
    print(f"{name:<12}{file:<18}{megabytes / a:>10.1f}{megabytes / b:>12.1f}{b / a:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
