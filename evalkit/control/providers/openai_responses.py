"""OpenAI's Responses format."""

from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.control.providers.answers import (
    FILTERED,
    Answer,
    MalformedAnswer,
    call_from_text,
    counted,
)
from evalkit.control.providers.error_bodies import ErrorBody, error_from
from evalkit.control.providers.guardrails import with_block
from evalkit.control.providers.openai_request import is_closed, strict_schema
from evalkit.control.providers.openai_responses_stream import RESPONSES_STREAM
from evalkit.control.providers.protocol import WireProtocol, below, translated
from evalkit.control.providers.tool_choice import for_responses
from evalkit.control.providers.turns import arguments_text, is_result, link_results
from evalkit.records.call import Message, Request, ToolCall, Usage

NOUN = "response"

_NAMES: Mapping[str, str | None] = {
    "max_tokens": "max_output_tokens",
    "stop": None,
    "seed": None,
    "top_k": None,
    "min_p": None,
    "logit_bias": None,
    "frequency_penalty": None,
    "presence_penalty": None,
    "repeat_penalty": None,
}
_OWN = frozenset(
    {
        "model",
        "messages",
        "input",
        "instructions",
        "tools",
        "stream",
        "background",
        "conversation",
        "previous_response_id",
        "prompt",
    }
)
_ENDS = {"max_output_tokens": "length", "content_filter": "content_filter"}


class _Content(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str
    content: list[_Content] | None = None
    name: str | None = None
    arguments: str | None = None
    call_id: str | None = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    """As much of a response as is read; everything else is ignored."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[_Item] | None = None
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None
    error: Any = None


def payload_of(request: Request) -> dict[str, Any]:
    """The body of a request for a response. Raises UnsentParameter."""
    payload = translated(request, _NAMES, own=_OWN, noun="OpenAI's Responses format")
    for_responses(payload)
    payload.setdefault("store", False)  # by default the vendor would keep every reply
    payload["model"] = request.model
    payload["input"] = [
        item for message in link_results(request.messages) for item in _items(message)
    ]
    if (effort := payload.pop("reasoning_effort", None)) is not None:
        payload["reasoning"] = {**(payload.get("reasoning") or {}), "effort": effort}
    if request.tools:
        payload["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                **({"description": tool.description} if tool.description else {}),
                "parameters": tool.parameters or {"type": "object", "properties": {}},
                # Left out it means yes, and then open schemas are refused.
                "strict": bool(tool.parameters) and is_closed(tool.parameters),
            }
            for tool in request.tools
        ]
    text = dict(payload.pop("text", None) or {})
    text.pop("format", None)
    if request.schema is not None:
        text["format"] = {"type": "json_schema", **strict_schema(request.schema)}
    if text:
        payload["text"] = text
    return payload


def _items(message: Message) -> list[dict[str, Any]]:
    """What a message is among a response's input: its text, its calls, or a call's result."""
    if is_result(message):
        call_id = message.tool_call_id
        return [{"type": "function_call_output", "call_id": call_id, "output": message.content}]
    items: list[dict[str, Any]] = []
    if message.content or not message.tool_calls:
        role = "user" if message.role == "tool" else message.role
        items.append({"role": role, "content": message.content})
    for call in message.tool_calls:
        items.append(
            {
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": arguments_text(call),
            }
        )
    return items


def answer_of(body: bytes) -> Answer | ErrorBody:
    """A response. Raises MalformedAnswer, and msgspec's errors for what is none."""
    response = msgspec.json.decode(body, type=_Response)
    if response.error:
        return error_from(response.error)
    if response.status == "failed":
        return ErrorBody(message="the response failed, and nothing says why")
    if response.output is None:
        raise MalformedAnswer("the reply has no output")
    if response.status not in (None, "completed", "incomplete"):
        raise MalformedAnswer(f"the reply is not finished, but {response.status[:40]}")
    parts = [
        part for item in response.output if item.type == "message" for part in item.content or ()
    ]
    if any(part.type == "output_text" and part.text is None for part in parts):
        raise MalformedAnswer("a text part of the reply holds no text")
    calls = tuple(_call(item) for item in response.output if item.type == "function_call")
    refusal = "".join(part.refusal or "" for part in parts if part.type == "refusal") or None
    finish_reason = "tool_calls" if calls else "stop"
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details else None
        finish_reason = _ENDS.get(reason or "", "length")
    is_filtered = finish_reason == "content_filter"
    if is_filtered and refusal is None:
        refusal = FILTERED
    return Answer(
        content="".join(part.text or "" for part in parts if part.type == "output_text"),
        tool_calls=calls,
        finish_reason=finish_reason,
        refusal=refusal,
        usage=_usage(response.usage),
        model=response.model,
        id=response.id or "",
        guardrails=with_block((), "content_filter") if is_filtered else (),
    )


def _call(item: _Item) -> ToolCall:
    if item.name is None:
        raise MalformedAnswer("a tool call of the reply names no tool")
    return call_from_text(item.name, item.arguments or "", item.call_id)


def _usage(usage: _Usage | None) -> Usage | None:
    if usage is None or usage.input_tokens is None:
        return None
    read = usage.input_tokens_details or _InputDetails()
    said = usage.output_tokens_details or _OutputDetails()
    return counted(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens or 0,
        cached_tokens=read.cached_tokens,
        cache_write_tokens=read.cache_write_tokens,
        reasoning_tokens=said.reasoning_tokens,
    )


RESPONSES = WireProtocol(
    noun=NOUN,
    url_of=lambda base_url, model: below(base_url, "/responses"),
    payload_of=payload_of,
    answer_of=answer_of,
    stream=RESPONSES_STREAM,
)
