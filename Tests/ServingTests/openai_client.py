"""Uses a server as people use OpenAI's: with the official client. An assertion that fails is the error."""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
messages = [
    {"role": "system", "content": "Name the colour."},
    {"role": "user", "content": [{"type": "text", "text": "The door is 青."}]},
]
TEXT = "青, the door"

assert [model.id for model in client.models.list()] == ["export"]

chat = client.chat.completions.create(model="export", messages=messages, temperature=0)
assert chat.choices[0].message.content == TEXT
assert chat.choices[0].finish_reason == "stop"
assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens

chat = client.chat.completions.create(
    model="export", messages=messages, n=3, temperature=1.5, seed=4, logprobs=True, top_logprobs=5,
    max_completion_tokens=12, presence_penalty=0.1, logit_bias={"40": 1}, stop=["zz"],
    extra_body={"top_k": 40, "min_p": 0.001, "repetition_penalty": 1.05},
)
assert [choice.index for choice in chat.choices] == [0, 1, 2]
for choice in chat.choices:
    for token in choice.logprobs.content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 5
        assert token.top_logprobs[0].logprob >= token.top_logprobs[4].logprob
    text = b"".join(bytes(token.bytes) for token in choice.logprobs.content)
    assert text.decode(errors="replace") == choice.message.content, choice

stream = client.chat.completions.create(
    model="export", messages=messages, temperature=0, stream=True,
    stream_options={"include_usage": True},
)
chunks = list(stream)
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
assert chunks[0].choices[0].delta.role == "assistant"
assert chunks[-1].usage.completion_tokens > 0 and chunks[-1].choices == []
assert chunks[-2].choices[0].finish_reason == "stop"

with client.chat.completions.stream(model="export", messages=messages, temperature=0) as helper:
    for event in helper:
        pass
    assert helper.get_final_completion().choices[0].message.content == TEXT

tools = [{"type": "function", "function": {"name": "paint", "parameters": {"type": "object"}}}]
chat = client.chat.completions.create(
    model="export", messages=messages, tools=tools, temperature=0, max_tokens=4)
assert chat.choices[0].finish_reason in ("stop", "length")

text = client.completions.create(model="export", prompt="The door", max_tokens=5, logprobs=2, seed=1)
assert len(text.choices[0].logprobs.tokens) <= 5

for change, kind in [
    ({"model": "gpt-5"}, openai.NotFoundError),
    ({"temperature": -1}, openai.BadRequestError),
    ({"messages": []}, openai.BadRequestError),
    ({"response_format": {"type": "json_object"}}, openai.BadRequestError),
]:
    try:
        client.chat.completions.create(**({"model": "export", "messages": messages} | change))
        raise AssertionError(f"{change} was not refused")
    except kind as error:
        assert error.body["type"] == "invalid_request_error", error.body
        assert error.param == next(iter(change)), error.body

print("all well")
