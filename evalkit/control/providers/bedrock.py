"""Amazon Bedrock's Converse format."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from evalkit.control.providers.answers import (
    FILTERED,
    Answer,
    MalformedAnswer,
    call_from_text,
    counted,
)
from evalkit.control.providers.bedrock_signing import sign
from evalkit.control.providers.bedrock_stream import CONVERSE_STREAM
from evalkit.control.providers.enforceable import enforceable
from evalkit.control.providers.error_bodies import ErrorBody, error_in
from evalkit.control.providers.guardrails import bedrock_findings, with_block
from evalkit.control.providers.protocol import WireProtocol, below, stop_list, translated
from evalkit.control.providers.tool_choice import for_bedrock
from evalkit.control.providers.turns import (
    arguments_object,
    group_turns,
    is_result,
    link_results,
    split_system,
)
from evalkit.ports import HttpReply
from evalkit.records.call import Message, Request, ToolCall, Usage

NOUN = "Converse reply"

_NAMES: Mapping[str, str | None] = {
    "max_tokens": "maxTokens",
    "top_p": "topP",
    "stop": "stopSequences",
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
        "modelId",
        "messages",
        "system",
        "tools",
        "toolConfig",
        "stream",
        "inferenceConfig",
        "promptVariables",
    }
)
_SETTINGS = ("maxTokens", "temperature", "topP", "stopSequences")
_ENDS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
# The model's own failure to write what was asked for: an answer, with nothing in it.
_BAD_ENDS = frozenset({"malformed_model_output", "malformed_tool_use"})


class _ToolUse(msgspec.Struct, rename="camel"):
    name: str
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    partial_json: str | None = None  # of a stream, in the place of `input`


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None


class _Message(msgspec.Struct):
    content: list[_Block] | None = None


class _Output(msgspec.Struct):
    message: _Message | None = None


class _Usage(msgspec.Struct, rename="camel"):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


class _Converse(msgspec.Struct, rename="camel"):
    """As much of a reply as is read; everything else is ignored."""

    output: _Output | None = None
    stop_reason: str | None = None
    trace: Any = None
    usage: _Usage | None = None
    error: str | None = msgspec.field(default=None, name="__type")
    message: str | None = None


def payload_of(request: Request) -> dict[str, Any]:
    """The body of a Converse request. Raises UnsentParameter."""
    payload = translated(request, _NAMES, own=_OWN, noun="Bedrock's Converse format")
    choice = for_bedrock(payload)
    settings = {name: payload.pop(name) for name in _SETTINGS if name in payload}
    if "stopSequences" in settings:
        settings["stopSequences"] = stop_list(settings["stopSequences"])
    if settings:
        payload["inferenceConfig"] = settings
    system, turns = split_system(link_results(request.messages))
    payload["messages"] = [
        {"role": role, "content": [block for message in turn for block in _blocks(message)]}
        for role, turn in group_turns(turns, alternating=True)
    ]
    if system:
        payload["system"] = [{"text": text} for text in system]
    if request.tools:
        specs = [
            {
                "name": tool.name,
                **({"description": tool.description} if tool.description else {}),
                "inputSchema": {"json": tool.parameters or {"type": "object", "properties": {}}},
            }
            for tool in request.tools
        ]
        payload["toolConfig"] = {"tools": [{"toolSpec": spec} for spec in specs]}
        if choice is not None:
            payload["toolConfig"]["toolChoice"] = choice
    output = dict(payload.pop("outputConfig", None) or {})
    output.pop("textFormat", None)
    if (effort := payload.pop("reasoning_effort", None)) is not None:
        output["effort"] = effort
    schema = None if request.schema is None else enforceable(request.schema)
    if schema is not None:
        written = {"name": "reply", "schema": msgspec.json.encode(schema).decode()}
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": written}}
    if output:
        payload["outputConfig"] = output
    return payload


def _blocks(message: Message) -> list[dict[str, Any]]:
    """A message's blocks. A text block cannot be empty where there are others."""
    if is_result(message):
        said = [{"text": message.content}] if message.content else []
        return [{"toolResult": {"toolUseId": message.tool_call_id, "content": said}}]
    blocks: list[dict[str, Any]] = []
    if message.content or not message.tool_calls:
        blocks.append({"text": message.content})
    for call in message.tool_calls:
        use = {"toolUseId": call.id, "name": call.name, "input": arguments_object(call)}
        blocks.append({"toolUse": use})
    return blocks


def answer_of(body: bytes) -> Answer | ErrorBody:
    """A Converse reply. Raises MalformedAnswer, and msgspec's errors for what is none."""
    reply = msgspec.json.decode(body, type=_Converse)
    if reply.error:
        return ErrorBody(message=reply.message or "", code=_name(reply.error))
    message = reply.output.message if reply.output else None
    if message is None or message.content is None:
        raise MalformedAnswer("the reply has no message")
    text = "".join(block.text or "" for block in message.content)
    calls = tuple(_call(use) for block in message.content if (use := block.tool_use) is not None)
    stop = reply.stop_reason or ("tool_use" if calls else "end_turn")
    finish_reason = _ENDS.get(stop, stop)
    found = tuple(dict.fromkeys(bedrock_findings(reply.trace)))
    if finish_reason == "content_filter":
        found = with_block(found, stop)
        if all(each.action != "blocked" for each in found):
            finish_reason = "stop"  # masked, and then let through
    return Answer(
        content=text,
        tool_calls=calls,
        finish_reason=finish_reason,
        refusal=f"{FILTERED} ({stop})" if finish_reason == "content_filter" else None,
        usage=_usage(reply.usage),
        generated=stop in _BAD_ENDS,
        guardrails=found,
    )


def _call(use: _ToolUse) -> ToolCall:
    if use.partial_json is not None:
        return call_from_text(use.name, use.partial_json, use.tool_use_id)
    return ToolCall(name=use.name, arguments=use.input, id=use.tool_use_id or "")


def error_of(reply: HttpReply) -> ErrorBody:
    """The error of another status: its name stands in a header, its words in the body."""
    error = error_in(reply.body)
    try:
        body = msgspec.json.decode(reply.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = {}
    words = body.get("message", body.get("Message"))
    name = reply.headers.get("x-amzn-errortype") or body.get("__type")
    return ErrorBody(
        message=words if isinstance(words, str) else error.message,
        code=_name(name) if isinstance(name, str) else error.code,
    )


def _name(text: str) -> str:
    """`com.amazon.coral.service#ThrottlingException:http://…` without what stands around it."""
    return text.split(":", 1)[0].rsplit("#", 1)[-1]


def _usage(usage: _Usage | None) -> Usage | None:
    """Here input tokens leave out what was read from and written to the cache: they are summed."""
    if usage is None or usage.input_tokens is None:
        return None
    read, written = usage.cache_read_input_tokens or 0, usage.cache_write_input_tokens or 0
    if min(usage.input_tokens, read, written) < 0:
        raise MalformedAnswer("the reply counts a negative number of tokens")
    return counted(
        input_tokens=usage.input_tokens + read + written,
        output_tokens=usage.output_tokens or 0,
        cached_tokens=read,
        cache_write_tokens=written,
    )


def url_of(base_url: str, model: str) -> str:
    """Where a model, an inference profile or its ARN is asked.

    A colon stays as it is: the HTTP client would turn an escaped one back, and what was signed has
    to be what arrives.
    """
    return below(base_url, f"/model/{quote(model, safe=':')}/converse")


CONVERSE = WireProtocol(
    noun=NOUN,
    url_of=url_of,
    payload_of=payload_of,
    answer_of=answer_of,
    stream=CONVERSE_STREAM,
    error_of=error_of,
    id_header="x-amzn-requestid",
    sign=sign,
)
