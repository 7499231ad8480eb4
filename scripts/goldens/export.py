#!/usr/bin/env python3
"""Checks that transformers loads what Flywheel exports, and records what it computes: Tests/Goldens/export.

Trains a small model of each family from nothing as a user would (`up`, `submit`, `models export`), loads
the exported folder with its tokenizer and AutoModelForCausalLM, and compares token ids, the template,
per-token log-probabilities and greedy answers with `flywheel models score` and `models generate`. The
Llama's folder and transformers' results (logits in fp64, see double.py) become the golden, which a test
reads again.

    V/bin/python scripts/goldens/export.py .build/release/flywheel

with V as for llama.py, and jinja2 in it.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

import double

flywheel = str(pathlib.Path(sys.argv[1]).resolve())
golden = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Goldens" / "export"
place = pathlib.Path(tempfile.mkdtemp(prefix="flywheel-export-"))
place.chmod(0o755)  # the private PostgreSQL runs as another user where we are root
os.environ["FLYWHEEL_HOME"] = str(place / "home")
os.environ.pop("FLYWHEEL_DATABASE_URL", None)
torch.set_num_threads(1)

COLOURS = ["red", "green", "blue", "white", "black", "grün", "青"]
THINGS = ["door", "house", "car", "tree", "naïve fox", "box 12"]
# What each family's specification says beside the measures; windows are shorter than the answers' rows.
FAMILIES = {
    "llama": "", "mistral": ", window: 16", "qwen2": "", "qwen3": ", headDimension: 12",
    "gemma2": ", window: 16, headDimension: 12", "gemma3": ", window: 16, layers: 6",
}
SPECIFICATION = """
kind: train
name: NAME
model:
  new: {architecture: NAME, hidden: 32, layers: 2, heads: 4, keyValueHeads: 2, intermediate: 48,
        vocabulary: 320}
data: rows.jsonl
method: {type: sft, adapter: full}
schedule: {steps: 300, learningRate: 1.0e-2}
batch: {lanes: 4, rowTokens: 128}
overlong: drop
"""


def run(*arguments):
    done = subprocess.run(
        [flywheel, *arguments], cwd=place, text=True, stdout=subprocess.PIPE, check=True)
    return done.stdout


def lines(*arguments):
    return [json.loads(line) for line in run(*arguments, "--json").splitlines()]


def conversation(colour, thing):
    return [
        {"role": "system", "content": "Name the colour."},
        {"role": "user", "content": f"The {thing} is {colour}."},
        {"role": "assistant", "content": f"{colour}, the {thing}"},
    ]


def write(name, rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (place / name).write_text(text)


def specification(family, more):
    text = SPECIFICATION.replace("NAME", family)
    if "layers:" in more:
        text = text.replace("layers: 2, ", "")
    return text.replace("vocabulary: 320", "vocabulary: 320" + more)


def train():
    """Leaves the exported models in `place`, each under its family's name."""
    write("rows.jsonl", [{"messages": conversation(c, t)} for c in COLOURS for t in THINGS])
    up = subprocess.Popen([flywheel, "up"], cwd=place, stdout=subprocess.DEVNULL)
    try:
        for _ in range(120):
            time.sleep(0.5)
            if subprocess.run([flywheel, "nodes", "list"], capture_output=True).returncode == 0:
                break
        for family, more in FAMILIES.items():
            (place / "train.yaml").write_text(specification(family, more))
            run("jobs", "wait", run("submit", "train.yaml").strip())
            run("models", "export", f"{family}@1", family)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)


def check(family, asked):
    """Compares an export in transformers with our own commands; what is recorded."""
    folder = place / family
    # AutoTokenizer of transformers 5 gives every qwen2 Qwen's own splitting, whatever the file says.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    write("asked.jsonl", [{"messages": messages} for messages in asked])
    scored = lines("models", "score", family, "--input", "asked.jsonl")
    answered = lines(
        "models", "generate", family, "--input", "asked.jsonl", "--max-tokens", "24")
    cases = []
    for messages, score, answer in zip(asked, scored, answered):
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids == score["tokens"], (ids, score["tokens"])
        exact = double.logits(folder, ids)
        expected = exact.log_softmax(-1)[range(len(ids) - 1), ids[1:]]
        worst = (torch.tensor(score["logprobs"], dtype=torch.float64) - expected).abs().max().item()
        assert worst < 1e-5, worst

        opening = tokenizer.apply_chat_template(
            messages[:-1], tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(opening, add_special_tokens=False, return_tensors="pt")["input_ids"]
        greedy = model.generate(prompt, max_new_tokens=24, do_sample=False)[0, prompt.shape[1]:]
        assert greedy.tolist() == answer["tokens"], (greedy.tolist(), answer["tokens"])
        said = tokenizer.decode(greedy, skip_special_tokens=True)
        assert said == answer["text"], (said, answer["text"])
        print(f"{family}, {len(ids)} tokens: log-probabilities within {worst:.1e}; says {said!r}")
        cases.append({
            "text": text, "ids": ids, "logits": double.rounded(exact[-4:].tolist(), 9),
            "prompt": opening, "greedy": greedy.tolist(), "answer": said,
        })
    return cases


try:
    train()
    asked = [conversation("blue", "door"), conversation("grün", "naïve fox"),
             conversation("purple", "box 12")]
    cases = {family: check(family, asked) for family in FAMILIES}["llama"]
    shutil.rmtree(golden, ignore_errors=True)
    shutil.copytree(place / "llama", golden, copy_function=shutil.copyfile)
    (golden / "expected.json").write_text(json.dumps({"cases": cases}, ensure_ascii=False) + "\n")
    print({path.name: path.stat().st_size for path in sorted(golden.iterdir())})
finally:
    shutil.rmtree(place, ignore_errors=True)
