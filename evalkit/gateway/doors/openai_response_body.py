"""A response: the object that OpenAI's Responses format answers with, whole or under way."""

from typing import Any

from evalkit.control.providers.turns import arguments_text
from evalkit.gateway.asked import Asked
from evalkit.records.call import Completion, Reply, ToolCall, Usage

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response_body(asked: Asked, completion: Completion, *, id_: str, at: int) -> dict[str, Any]:
    """A response that has ended."""
    reply = completion.reply
    reason = _INCOMPLETE.get(reply.finish_reason)
    return frame_of(asked, id_=id_, at=at) | {
        "status": "completed" if reason is None else "incomplete",
        "incomplete_details": None if reason is None else {"reason": reason},
        "model": reply.model,
        "output": output_of(reply, id_),
        "usage": usage_body(reply.usage),
    }


def frame_of(asked: Asked, *, id_: str, at: int) -> dict[str, Any]:
    """A response under way: what was asked, and nothing of the answer yet."""
    return {
        "id": id_,
        "object": "response",
        "created_at": at,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": asked.params.get("max_tokens"),
        "metadata": {},
        "model": asked.model,
        "output": [],
        "parallel_tool_calls": asked.params.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": asked.params.get("reasoning_effort"), "summary": None},
        "store": False,
        "temperature": asked.params.get("temperature"),
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": asked.params.get("top_p"),
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


def output_of(reply: Reply, id_: str) -> list[dict[str, Any]]:
    """What was answered: a message where anything was said, and the calls."""
    items: list[dict[str, Any]] = []
    if reply.refusal is not None:
        items.append(message_item(id_, {"type": "refusal", "refusal": reply.refusal}))
    elif reply.content:
        items.append(message_item(id_, text_part(reply.content)))
    items += [call_item(id_, number, call) for number, call in enumerate(reply.tool_calls)]
    return items


def message_item(
    id_: str, part: dict[str, Any] | None, *, status: str = "completed"
) -> dict[str, Any]:
    """What is said, as an item of the output; without a part where nothing is said yet."""
    return {
        "type": "message",
        "id": id_.replace("resp_", "msg_"),
        "status": status,
        "role": "assistant",
        "content": [] if part is None else [part],
    }


def text_part(text: str) -> dict[str, Any]:
    """A text as a part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(
    id_: str, number: int, call: ToolCall, *, status: str = "completed"
) -> dict[str, Any]:
    """A call as an item of the output; `number` tells the calls of a response apart."""
    begun = status == "in_progress"
    return {
        "type": "function_call",
        "id": f"{id_.replace('resp_', 'fc_')}_{number}",
        "call_id": call.id,
        "name": call.name,
        "arguments": "" if begun else arguments_text(call),
        "status": status,
    }


def usage_body(usage: Usage) -> dict[str, Any]:
    """Tokens as Responses count them: cached ones are inside the input's."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total,
    }
