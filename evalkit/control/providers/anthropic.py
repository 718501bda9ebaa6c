"""Anthropic's Messages format."""

from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.control.providers.answers import (
    REFUSED,
    Answer,
    MalformedAnswer,
    call_from_text,
    counted,
)
from evalkit.control.providers.anthropic_stream import MESSAGES_STREAM
from evalkit.control.providers.enforceable import enforceable
from evalkit.control.providers.error_bodies import ErrorBody, error_from
from evalkit.control.providers.guardrails import with_block
from evalkit.control.providers.protocol import WireProtocol, below, stop_list, translated
from evalkit.control.providers.tool_choice import for_anthropic
from evalkit.control.providers.turns import (
    arguments_object,
    group_turns,
    is_result,
    link_results,
    split_system,
)
from evalkit.records.call import Guardrail, Message, Request, ToolCall, Usage

NOUN = "Messages reply"
VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096  # the format demands a cap; the session always sends its own

_NAMES: Mapping[str, str | None] = {
    "stop": "stop_sequences",
    "seed": None,
    "min_p": None,
    "logit_bias": None,
    "frequency_penalty": None,
    "presence_penalty": None,
    "repeat_penalty": None,
}
_OWN = frozenset(
    {"model", "messages", "system", "tools", "stream", "container", "mcp_servers", "prefill"}
)
# What the vendor calls the end of a reply. A paused turn is not whole.
_ENDS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "stop",
}


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    name: str | None = None
    id: str | None = None
    input: dict[str, Any] | None = None
    partial_json: str | None = None  # of a stream, in the place of `input`


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _StopDetails(msgspec.Struct):
    category: str | None = None
    explanation: str | None = None


class _Message(msgspec.Struct):
    """As much of a reply as is read; everything else is ignored."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: _Usage | None = None
    error: Any = None


def payload_of(request: Request) -> dict[str, Any]:
    """The body of a Messages request. Raises UnsentParameter."""
    payload = translated(request, _NAMES, own=_OWN, noun="Anthropic's Messages format")
    for_anthropic(payload)
    payload.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
    if "stop_sequences" in payload:
        payload["stop_sequences"] = stop_list(payload["stop_sequences"])
    system, turns = split_system(link_results(request.messages))
    payload["model"] = request.model
    payload["messages"] = [
        {"role": role, "content": _content(turn)} for role, turn in group_turns(turns)
    ]
    if system:
        payload["system"] = "\n\n".join(system)
    if request.tools:
        payload["tools"] = [
            {
                "name": tool.name,
                **({"description": tool.description} if tool.description else {}),
                "input_schema": tool.parameters or {"type": "object", "properties": {}},
            }
            for tool in request.tools
        ]
    output = dict(payload.pop("output_config", None) or {})
    output.pop("format", None)
    if (effort := payload.pop("reasoning_effort", None)) is not None:
        output["effort"] = effort
    schema = None if request.schema is None else enforceable(request.schema)
    if schema is not None:
        output["format"] = {"type": "json_schema", "schema": schema}
    if output:
        payload["output_config"] = output
    return payload


def _content(turn: list[Message]) -> str | list[dict[str, Any]]:
    """A turn's text, or its blocks where tools have a part in it. A text block cannot be empty."""
    if len(turn) == 1 and not turn[0].tool_calls and not is_result(turn[0]):
        return turn[0].content
    blocks: list[dict[str, Any]] = []
    for message in turn:
        if is_result(message):
            call_id = message.tool_call_id
            blocks.append(
                {"type": "tool_result", "tool_use_id": call_id, "content": message.content}
            )
        elif message.content:
            blocks.append({"type": "text", "text": message.content})
        blocks.extend(
            {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call)}
            for call in message.tool_calls
        )
    return blocks


def answer_of(body: bytes) -> Answer | ErrorBody:
    """A Messages reply. Raises MalformedAnswer, and msgspec's errors for what is none."""
    message = msgspec.json.decode(body, type=_Message)
    if message.error or message.type == "error":
        return error_from(message.error)
    if message.content is None:
        raise MalformedAnswer("the reply has no content")
    text, calls = "", []
    for block in message.content:
        if block.type == "text":
            if block.text is None:
                raise MalformedAnswer("a text block of the reply holds no text")
            text += block.text
        elif block.type == "tool_use":
            if block.name is None:
                raise MalformedAnswer("a tool call of the reply names no tool")
            if block.partial_json is None:
                calls.append(ToolCall(name=block.name, arguments=block.input, id=block.id or ""))
            else:
                calls.append(call_from_text(block.name, block.partial_json, block.id))
    stop = message.stop_reason or ("tool_use" if calls else "end_turn")
    refusal: str | None = None
    found: tuple[Guardrail, ...] = ()
    if stop == "refusal":  # said by the vendor's classifiers, which end the model's turn
        details = message.stop_details or _StopDetails()
        refusal = details.explanation or text or REFUSED
        found = with_block((), details.category or stop, message=details.explanation or "")
    return Answer(
        content=text,
        tool_calls=tuple(calls),
        finish_reason=_ENDS.get(stop, stop),
        refusal=refusal,
        usage=_usage(message.usage),
        model=message.model,
        id=message.id or "",
        guardrails=found,
    )


def _usage(usage: _Usage | None) -> Usage | None:
    """Here input tokens leave out what was read from and written to the cache: they are summed."""
    if usage is None or usage.input_tokens is None:
        return None
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    if min(usage.input_tokens, read, written) < 0:
        raise MalformedAnswer("the reply counts a negative number of tokens")
    said = usage.output_tokens_details or _OutputDetails()
    return counted(
        input_tokens=usage.input_tokens + read + written,
        output_tokens=usage.output_tokens or 0,
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=said.thinking_tokens,
    )


MESSAGES = WireProtocol(
    noun=NOUN,
    url_of=lambda base_url, model: below(base_url, "/messages"),
    payload_of=payload_of,
    answer_of=answer_of,
    stream=MESSAGES_STREAM,
    key_headers=lambda key, base_url: {"x-api-key": key},
    headers={"anthropic-version": VERSION},
    id_header="request-id",
)
