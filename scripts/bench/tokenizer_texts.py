"""Texts of chance, the same for the same seed: what real text has, and what breaks tokenizers."""

import random

WORDS = (
    "the of and to in is you that it he was for on are as with his they I at be this have from or one had "
    "by word but not what all were we when your can said there use an each which she do how their if will "
    "package packages l'été naïve façade Straße Ελλάδα Москва привет мир שלום مرحبا नमस्ते สวัสดี 日本語 中文字符 "
    "한국어 ภาษาไทย don't I'm you're WE'VE it'LL 'S 'ſt def return import float32 x86_64 C++ <div> </div> http://a.b/c?d=e"
).split()
EMOJI = ["🎉", "👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "❤️", "🏴‍☠️", "☕", "🤖"]
BLANKS = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b", "\u000b", "\u000c", "\u1680", " \n ", "\ufeff"]
CONTROLS = ["\0", "\x01", "\x1b", "\x7f", "\u0080", "\u200d", "\u200e", "\u2066", "\ufffd", "\uffff", "\U0010ffff", "\ue000"]
SPECIALS = [
    "<s>", "</s>", "<unk>", "<|endoftext|>", "<|begin_of_text|>", "<|end_of_text|>", "<|user|>", "<|end|>",
    "<|assistant|>", "<0x41>", "<0xE2>", "▁", "▁▁", "Ġ", "Ċ", "<l>", "<r>", "<b>", "word", "norm al", "▁norm▁al", "<|",
]
MARKS = ["e\u0301", "\u0301", "a\u0323\u0302", "가", "\u1112\u1161\u11ab", "Å", "ﬁ", "½", "²", "Ⅷ", "ǆ", "İ", "ß", "\u09c7\u09be", "ｶﾞ", "①", "\u0345", "𝔘", "क्षि", "\u0f71\u0f72"]
NUMBERS = ["0", "12", "123", "1234567890", "3.14", "1,000", "٣٤", "१२", "Ⅻ", "𝟘"]


def scalar(rng):
    """A character of any script: of Latin to Tibetan, of the basic plane, of all planes."""
    while True:
        code = rng.choice([rng.randrange(0x250), rng.randrange(0x1000), rng.randrange(0x10000), rng.randrange(0x32000)])
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def text(rng):
    kind = rng.random()
    if kind < 0.03:
        return rng.choice([*WORDS, *BLANKS, *MARKS, " ", "a", "0", "é"]) * rng.randrange(1, 120)
    if kind < 0.08:
        return "".join(scalar(rng) for _ in range(rng.randrange(1, 40)))
    pools = rng.choices(
        [WORDS, EMOJI, BLANKS, CONTROLS, SPECIALS, MARKS, NUMBERS, list(".,;:!?'\"()[]{}<>/\\@#$%^&*_-+=|~`")],
        weights=[8, 1, 3, 0.5, 1.5, 1.5, 1.5, 2], k=rng.randrange(0, 24))
    parts = [scalar(rng) if rng.random() < 0.04 else rng.choice(pool) for pool in pools]
    return rng.choice([" ", " ", ""]).join(parts) if kind < 0.6 else "".join(p + rng.choice(["", " "]) for p in parts)


def texts(seed, count):
    rng = random.Random(seed)
    return [text(rng) for _ in range(count)]
