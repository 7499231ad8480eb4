"""Tokenizers to measure and compare: folders with a tokenizer.json that both sides read.

Real vocabularies come from the folder of test data. Steps of families whose vocabularies are not there
(Qwen, Gemma, Mistral, SmolLM, DeepSeek, gpt-oss, RoBERTa) are put around one that is: what is compared
is what these steps do, not their ids.
"""

import base64
import copy
import json
import pathlib

GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"


def byte_letters():
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in shown]
    return {**{b: chr(b) for b in shown}, **{b: chr(256 + i) for i, b in enumerate(hidden)}}


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True} | options


def split(expression, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": behavior, "invert": invert}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def added(number, content, **flags):
    token = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": content} | token | flags


def file(vocab, merges, pre_tokenizer, **members):
    model = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
        "ignore_merges": False, "vocab": vocab, "merges": merges,
    }
    base = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": byte_level(), "model": model,
    }
    return base | members


def ranked(path, specials, start):
    """A file of ranks as Hugging Face's converter reads it."""
    ranks = {}
    for line in path.read_text().splitlines():
        piece, rank = line.split()
        ranks[base64.b64decode(piece)] = int(rank)
    letters = byte_letters()
    write = lambda piece: "".join(letters[b] for b in piece)
    merges = []
    for piece in ranks:
        ways = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in ranks and piece[i:] in ranks]
        merges += sorted(ways, key=lambda way: (ranks[way[0]], ranks[way[1]]))
    value = file(
        {write(piece): rank for piece, rank in ranks.items()},
        [f"{write(a)} {write(b)}" for a, b in merges], sequence(split(GPT4), byte_level(use_regex=False)))
    value["model"]["ignore_merges"] = True
    value["added_tokens"] = [added(start + i, content) for i, content in enumerate(specials)]
    # Where the ids do not follow those of the pieces, the library takes them from the vocabulary only.
    value["model"]["vocab"] |= {token["content"]: token["id"] for token in value["added_tokens"]}
    return value


def changed(value, model=None, **members):
    value = copy.deepcopy(value) | members
    value["model"] |= model or {}
    return value


def real(data):
    """By name, the tokenizers whose vocabularies are in the folder `data`."""
    folder = pathlib.Path(data) / "tokenizers"
    read = lambda path: json.loads(path.read_text())
    merges = (folder / "gpt2/merges.txt").read_text().split("\n")[1:]
    gpt2 = file(
        read(folder / "gpt2/vocab.json"), [m for m in merges if m], byte_level(),
        post_processor=byte_level(trim_offsets=False), added_tokens=[added(50256, "<|endoftext|>")])
    llama3 = ranked(
        folder / "llama3/tokenizer.model",
        ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>"], 128000)
    return {
        "gpt2": gpt2,
        "llama3": llama3,
        "phi2": read(folder / "phi2/tokenizer.json"),
        "phi3": read(folder / "phi3/tokenizer.json"),
        "cl100k": ranked(folder / "cl100k/cl100k_base.tiktoken", ["<|endoftext|>"], 100257),
        "byte_bpe_2k": read(folder / "byte_bpe_2k/tokenizer.json"),
        "stories260k": read(pathlib.Path(data) / "stories260k/tokenizer.json"),
    }


def in_the_way_of_others(real):
    """By name, steps of other families around a vocabulary that is there."""
    gpt2, cl100k, phi3 = real["gpt2"], real["cl100k"], real["phi3"]
    bare = byte_level(use_regex=False)
    replace = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    metaspace = lambda scheme, cut: {
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}
    llama = phi3["decoder"]
    start = {
        "type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    free = 1 + max(*phi3["model"]["vocab"].values(), *(token["id"] for token in phi3["added_tokens"]))
    greedy_tokens = phi3["added_tokens"] + [
        added(free, "<l>", lstrip=True), added(free + 1, "<r>", rstrip=True),
        added(phi3["model"]["vocab"]["word"], "word", single_word=True, special=False),
        added(free + 2, "norm al", normalized=True, special=False),
        added(free + 3, "<b>", lstrip=True, rstrip=True, single_word=True, normalized=True, special=False)]
    return {
        "qwen": changed(
            cl100k, normalizer={"type": "NFC"},
            pre_tokenizer=sequence(split(GPT4.replace("{1,3}", "")), bare), model={"ignore_merges": False}),
        "gpt-oss": changed(cl100k, pre_tokenizer=sequence(split(O200K, "Removed", True), bare)),
        "deepseek": changed(cl100k, pre_tokenizer=sequence(*map(split, DEEPSEEK), bare)),
        "bloom": changed(gpt2, pre_tokenizer=sequence(split(BLOOM), bare)),
        "smollm": changed(
            gpt2, pre_tokenizer=sequence({"type": "Digits", "individual_digits": True}, byte_level())),
        "falcon": changed(gpt2, pre_tokenizer=sequence(
            {"type": "Punctuation", "behavior": "Contiguous"}, {"type": "Digits", "individual_digits": False},
            split("[0-9][0-9][0-9]"), byte_level())),
        "roberta": changed(
            gpt2, pre_tokenizer=byte_level(add_prefix_space=True),
            post_processor={
                "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                "trim_offsets": True, "add_prefix_space": True}),
        "unicode": changed(
            gpt2, normalizer={"type": "Sequence", "normalizers": [
                {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}]}),
        "accents": changed(
            gpt2, normalizer={"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]},
            pre_tokenizer=sequence(
                {"type": "WhitespaceSplit"}, split(r"\d", "MergedWithPrevious"), split("[aeiou]", "MergedWithNext"), bare)),
        "whitespace": changed(gpt2, normalizer={"type": "NFKD"}, pre_tokenizer=sequence({"type": "Whitespace"}, bare)),
        "gemma": changed(
            phi3, normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
            decoder={"type": "Sequence", "decoders": [replace, {"type": "ByteFallback"}, {"type": "Fuse"}]},
            post_processor=start),
        "mistral": changed(
            phi3, normalizer=None, pre_tokenizer=metaspace("first", False), decoder=llama, post_processor=start),
        "metaspace": changed(
            phi3, normalizer=None, pre_tokenizer=metaspace("always", True), decoder=metaspace("always", True)),
        "unknown": changed(phi3, model={"byte_fallback": False, "fuse_unk": True}),
        "unknowns": changed(phi3, model={"byte_fallback": False, "fuse_unk": False}, added_tokens=greedy_tokens),
        "added": changed(phi3, added_tokens=greedy_tokens, model={"ignore_merges": True}),
        "nothing": changed(phi3, model={"byte_fallback": False, "unk_token": None}),
    }


def write(tokenizers, folder):
    """Writes each into a folder of its name under `folder`; the folders by name."""
    folders = {}
    for name, value in tokenizers.items():
        folders[name] = pathlib.Path(folder) / name
        folders[name].mkdir(parents=True, exist_ok=True)
        (folders[name] / "tokenizer.json").write_text(json.dumps(value, ensure_ascii=False))
    return folders
