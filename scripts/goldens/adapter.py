#!/usr/bin/env python3
"""Checks that PEFT loads the adapters that Flywheel exports, and computes what the merged model does.

Trains a small base and, from it, an adapter of each kind as a user would (`up`, `submit`, `models export`),
loads base and adapter with PeftModel, and compares their logits with the merged model's, loaded by
transformers, and with what `flywheel models score` says of it.

    V/bin/python scripts/goldens/adapter.py .build/release/flywheel

with V as for llama.py, and peft in it.
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
from peft import PeftModel
from transformers import AutoModelForCausalLM

flywheel = str(pathlib.Path(sys.argv[1]).resolve())
place = pathlib.Path(tempfile.mkdtemp(prefix="flywheel-adapter-"))
place.chmod(0o755)  # the private PostgreSQL runs as another user where we are root
os.environ["FLYWHEEL_HOME"] = str(place / "home")
os.environ["FLYWHEEL_GATEWAY"] = "127.0.0.1:18177"
os.environ.pop("FLYWHEEL_DATABASE_URL", None)
torch.set_num_threads(1)

SPECIFICATION = """
kind: train
name: base
model:
  new: {architecture: llama, hidden: 32, layers: 2, heads: 4, keyValueHeads: 2, intermediate: 48,
        vocabulary: 320}
data: rows.jsonl
schedule: {steps: 100, learningRate: 1.0e-2}
batch: {lanes: 4, rowTokens: 128}
overlong: drop
"""
ADAPTER = """---
kind: train
name: %s
model: {base: base}
data: others.jsonl
method: {type: sft, adapter: {type: %s, rank: 4, alpha: 8, targets: [%s]}}
schedule: {steps: 60, learningRate: 1.0e-2}
batch: {lanes: 4, rowTokens: 128}
overlong: drop
after: [base]
"""
USUAL = "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
ADAPTERS = [("lora", "lora", USUAL), ("rslora", "rslora", "q_proj, v_proj"), ("dora", "dora", USUAL),
            ("head", "lora", "down_proj, lm_head")]


def run(*arguments):
    return subprocess.run(
        [flywheel, *arguments], cwd=place, text=True, stdout=subprocess.PIPE, check=True).stdout


def rows(path, answer):
    colours, things = ["red", "green", "blue", "white"], ["door", "house", "car", "tree", "box"]
    with open(place / path, "w") as file:
        for colour in colours:
            for thing in things:
                messages = [{"role": "user", "content": f"{colour} {thing}"},
                            {"role": "assistant", "content": answer(colour, thing)}]
                file.write(json.dumps({"messages": messages}) + "\n")


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].double()


def main():
    rows("rows.jsonl", lambda colour, thing: f"the {thing} is {colour}")
    rows("others.jsonl", lambda colour, thing: f"{colour}! {thing}!")
    (place / "job.yaml").write_text(SPECIFICATION + "".join(ADAPTER % it for it in ADAPTERS))
    up = subprocess.Popen([flywheel, "up"], cwd=place, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if subprocess.run([flywheel, "nodes", "list"], cwd=place, capture_output=True).returncode == 0:
                break
            time.sleep(0.5)
        jobs = run("submit", "job.yaml").split()
        for job in jobs:
            run("jobs", "wait", job)
        run("models", "export", "base", "base")
        for name, _, _ in ADAPTERS:
            run("models", "export", name, name)
            run("models", "export", name, name + "-adapter", "--adapter")
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(timeout=120)

    ids = [5, 9, 33, 260, 47, 101, 12, 77, 300, 64]
    plain = logits(AutoModelForCausalLM.from_pretrained(place / "base"), ids)
    for name, kind, _ in ADAPTERS:
        base = AutoModelForCausalLM.from_pretrained(place / "base")
        adapted = logits(PeftModel.from_pretrained(base, place / f"{name}-adapter"), ids)
        merged_model = AutoModelForCausalLM.from_pretrained(place / name)
        merged = logits(merged_model, ids)
        worst = ((adapted - merged).abs() / merged.abs().clamp(min=merged.pow(2).mean().sqrt())).max().item()
        moved = (merged - plain).abs().max().item()
        (place / "tokens.jsonl").write_text(json.dumps({"tokens": ids}) + "\n")
        scored = json.loads(run("models", "score", name, "--input", "tokens.jsonl", "--json"))["logprobs"]
        theirs = torch.log_softmax(merged, -1)[range(len(ids) - 1), ids[1:]].tolist()
        apart = max(abs(a - b) for a, b in zip(scored, theirs))
        print(f"{name} ({kind}): PEFT's logits are within {worst:.1e} of the merged model's, which is "
              f"{moved:.2f} from its base; our log-probabilities are within {apart:.1e} of transformers'")
        assert worst < 1e-5 and moved > 0.1 and apart < 1e-4
        assert merged_model.config.tie_word_embeddings == ("lm_head" not in ADAPTERS[
            [it[0] for it in ADAPTERS].index(name)][2])
    shutil.rmtree(place)


main()
