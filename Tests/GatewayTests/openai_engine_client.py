"""Calls to our own engine through the gateway with OpenAI's own client.

Prints one line of JSON for each call: its id, its status, and the usage that the client read.
"""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="sk-any", max_retries=0)
messages = [
    {"role": "system", "content": "Name the colour."},
    {"role": "user", "content": "The door is 青."},
]
tools = [{"type": "function", "function": {"name": "paint", "parameters": {"type": "object"}}}]


def show(name, id, usage, status=200):
    print(json.dumps({
        "name": name, "id": id, "status": status,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
    }))


def ask(**values):
    return client.chat.completions.with_raw_response.create(
        model="export", messages=messages, **values)


for name, values in [
    ("whole", {"temperature": 0}),
    ("several", {"n": 3, "temperature": 1.2, "seed": 4, "logprobs": True, "max_tokens": 9}),
    ("tools", {"tools": tools, "temperature": 0, "max_tokens": 4}),
]:
    raw = ask(**values)
    chat = raw.parse()
    assert chat.usage.completion_tokens > 0
    if name == "several":
        assert len(chat.choices) == 3 and all(c.logprobs.content for c in chat.choices)
    show(name, raw.headers["x-request-id"], chat.usage)

raw = ask(temperature=0, stream=True, stream_options={"include_usage": True})
chunks = list(raw.parse())
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
show("streamed", raw.headers["x-request-id"], chunks[-1].usage)

try:
    ask(temperature=-1)
    raise AssertionError("a negative temperature was taken")
except openai.BadRequestError as error:
    show("refused", error.response.headers["x-request-id"], None, error.status_code)
