"""Calls through the gateway with OpenAI's own client, as applications make them.

Prints one line of JSON for each thing that was tried: what came back, as the client's types have it.
"""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="sk-any", max_retries=0)
messages = [{"role": "user", "content": "hi"}]


def show(name, **values):
    print(json.dumps({"name": name, **values}))


def counted(name, raw, usage, **values):
    """Shows a call with its id and what the client was told that it took."""
    show(name, id=raw.headers["x-request-id"], prompt_tokens=usage and usage.prompt_tokens,
         completion_tokens=usage and usage.completion_tokens, **values)


def ask(model, **values):
    return client.chat.completions.with_raw_response.create(model=model, messages=messages, **values)


raw = ask("plain")
answer = raw.parse()
counted("plain", raw, answer.usage, text=answer.choices[0].message.content,
        finish=answer.choices[0].finish_reason)

raw = ask("several", n=2, logprobs=True, top_logprobs=2)
answer = raw.parse()
counted("several", raw, answer.usage, texts=[c.message.content for c in answer.choices],
        logprob=answer.choices[0].logprobs.content[0].top_logprobs[1].logprob)

tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}]
raw = ask("tools", tools=tools)
answer = raw.parse()
call = answer.choices[0].message.tool_calls[0]
counted("tools", raw, answer.usage, function=call.function.name, arguments=call.function.arguments,
        finish=answer.choices[0].finish_reason)

raw = ask("stream", stream=True)
chunks = list(raw.parse())
show("stream", id=raw.headers["x-request-id"], text="".join(c.choices[0].delta.content or "" for c in chunks),
     usage=[c.usage for c in chunks if c.usage])

raw = ask("stream", stream=True, stream_options={"include_usage": True})
chunks = list(raw.parse())
counted("stream usage", raw, chunks[-1].usage)

raw = ask("stream tools", n=2, tools=tools, stream=True, stream_options={"include_usage": True})
parts = {0: [], 1: []}
for chunk in (chunks := list(raw.parse())):
    for choice in chunk.choices:
        parts[choice.index] += [c.function.arguments or "" for c in choice.delta.tool_calls or []]
counted("stream tools", raw, chunks[-1].usage, arguments=["".join(parts[0]), "".join(parts[1])])

for model in ["limited", "missing"]:
    try:
        client.chat.completions.create(model=model, messages=messages)
    except openai.APIStatusError as error:
        show(model, error=type(error).__name__, status=error.status_code, code=error.code)

try:
    list(client.chat.completions.create(model="cut", messages=messages, stream=True))
except openai.APIError as error:
    show("cut", error=type(error).__name__, code=error.code)

show("models", ids=[m.id for m in client.models.list()])
