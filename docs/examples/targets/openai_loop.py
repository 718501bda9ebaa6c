"""A support agent on the OpenAI SDK, as a Python target: `python: openai_loop:answer`.

It makes its calls by itself (OPENAI_BASE_URL and OPENAI_API_KEY say where), so it tells what they
took: evalkit counts what a program tells and holds nothing for it.
"""

import json
import os
from typing import Any

from openai import OpenAI

MODEL = os.environ.get("OPENAI_MODEL", "gpt-4.1-mini")
ORDERS = {"A-1": {"state": "in transit", "expected": "Thursday"}}
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_order",
            "description": "Read the state of an order.",
            "parameters": {
                "type": "object",
                "properties": {"id": {"type": "string"}},
                "required": ["id"],
            },
        },
    }
]
client = OpenAI(max_retries=2, timeout=30)


def answer(given: dict[str, Any]) -> dict[str, Any]:
    """Ask until the model answers without a tool; at most five times."""
    messages: list[Any] = [{"role": "user", "content": given["question"]}]
    calls: list[dict[str, Any]] = []
    tokens = {"input_tokens": 0, "output_tokens": 0}
    for _ in range(5):
        reply = client.chat.completions.create(
            model=MODEL, messages=messages, tools=TOOLS, temperature=0
        )
        if reply.usage is not None:
            tokens["input_tokens"] += reply.usage.prompt_tokens
            tokens["output_tokens"] += reply.usage.completion_tokens
        message = reply.choices[0].message
        if not message.tool_calls:
            return {"output": message.content or "", "tool_calls": calls, "usage": tokens}
        messages.append(message)
        for call in message.tool_calls:
            arguments = json.loads(call.function.arguments)
            calls.append({"name": call.function.name, "arguments": arguments, "id": call.id})
            result = ORDERS.get(arguments.get("id"), {"error": "no such order"})
            messages.append(
                {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}
            )
    raise RuntimeError("no answer after five questions")
