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


raw = client.chat.completions.with_raw_response.create(model="plain", messages=messages)
answer = raw.parse()
show("plain", id=raw.headers["x-request-id"], text=answer.choices[0].message.content,
     tokens=answer.usage.total_tokens, finish=answer.choices[0].finish_reason)

answer = client.chat.completions.create(model="several", messages=messages, n=2, logprobs=True, top_logprobs=2)
show("several", texts=[c.message.content for c in answer.choices],
     logprob=answer.choices[0].logprobs.content[0].top_logprobs[1].logprob)

tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}]
answer = client.chat.completions.create(model="tools", messages=messages, tools=tools)
call = answer.choices[0].message.tool_calls[0]
show("tools", function=call.function.name, arguments=call.function.arguments,
     finish=answer.choices[0].finish_reason)

chunks = list(client.chat.completions.create(model="stream", messages=messages, stream=True))
show("stream", text="".join(c.choices[0].delta.content or "" for c in chunks), chunks=len(chunks),
     usage=[c.usage for c in chunks if c.usage])

chunks = list(client.chat.completions.create(
    model="stream", messages=messages, stream=True, stream_options={"include_usage": True}))
show("stream usage", chunks=len(chunks), tokens=chunks[-1].usage.total_tokens)

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
