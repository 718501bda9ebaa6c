"""How many tokens a request can have at most, by part, before anybody counts them.

A byte-level tokeniser never makes more tokens than there are UTF-8 bytes, so bytes are a bound that
holds for every model. It is a hold on a budget and the ceiling of a plan, never a bill.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from evalkit.records.asset import Tool
from evalkit.records.call import Message, ToolCall

# What a chat template puts around a message: role, separators, end of turn.
PER_MESSAGE = 16
# What an endpoint writes around a tool's JSON, and once to explain that there are tools at all.
PER_TOOL = 64
TOOL_PREAMBLE = 600


def bound_tokens(
    messages: Sequence[Message],
    *,
    tools: Sequence[Tool] = (),
    schema: dict[str, Any] | None = None,
) -> dict[str, int]:
    """Upper bounds by part: the parts of the messages, and `tools` for tools and reply schema."""
    parts: dict[str, int] = {}
    for message in messages:
        text = message.content
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        size += sum(_call_bound(call) for call in message.tool_calls)
        parts[message.part] = parts.get(message.part, 0) + size + PER_MESSAGE
    if tools:
        parts["tools"] = (
            parts.get("tools", 0) + TOOL_PREAMBLE + sum(_tool_bound(tool) for tool in tools)
        )
    if schema is not None:
        size = len(msgspec.json.encode(schema)) + PER_TOOL
        parts["tools"] = parts.get("tools", 0) + size
    return parts


def _call_bound(call: ToolCall) -> int:
    return len(msgspec.json.encode((call.id, call.name, call.raw or call.arguments))) + PER_MESSAGE


def _tool_bound(tool: Tool) -> int:
    described = (tool.name, tool.description, tool.parameters)
    return len(msgspec.json.encode(described)) + PER_TOOL
