"""The body of a chat completion as a Reply."""

import math
from typing import Any

import msgspec

from evalkit.control.providers.openai_request import tool_payload
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Reply, Request, ToolCall, Usage
from evalkit.records.json_text import decode_json

# Nobody counted: the length of a token of English text, about.
BYTES_A_TOKEN = 4
FILTERED = "the provider's content filter withheld the reply"


class _Function(msgspec.Struct):
    name: str
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    error: Any = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None


class ChatCompletion(msgspec.Struct):
    """As much of a chat completion as is read; everything else is ignored."""

    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


def decode_completion(provider: str, body: bytes) -> ChatCompletion:
    """The body of a 200. Raises ProviderError(malformed_reply)."""
    try:
        return msgspec.json.decode(body, type=ChatCompletion)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(provider, f"no chat completion: {error}") from None


def convert_completion(provider: str, answer: Any) -> ChatCompletion:
    """The same from plain data. Raises ProviderError(malformed_reply)."""
    try:
        return msgspec.convert(answer, ChatCompletion)
    except msgspec.ValidationError as error:
        raise malformed(provider, f"no chat completion: {error}") from None


def malformed(provider: str, why: str) -> ProviderError:
    """A reply that arrived whole and says nothing."""
    return ProviderError(
        FailureMode.MALFORMED_REPLY,
        f"provider {provider}: {why}",
        retryable=True,
        may_be_billed=True,
    )


def reply_of(
    provider: str,
    request: Request,
    answer: ChatCompletion,
    *,
    measurement_id: str,
    measured_at: str,
    latency_s: float,
) -> Reply:
    """The first choice as a Reply.

    A filtered reply is a refusal: it was asked for, it was billed, and asking again does not help.
    An empty text is the model's own answer where tokens were generated for it. Raises
    ProviderError: malformed_reply without a choice, empty_reply without a generated token.
    """
    if not answer.choices or answer.choices[0].message is None:
        raise malformed(provider, "the reply has no choices")
    choice = answer.choices[0]
    message = choice.message
    assert message is not None
    content = _text(provider, message.content)
    calls = tuple(_call(each) for each in message.tool_calls or ())
    refusal = message.refusal or None
    finish_reason = choice.finish_reason or ("tool_calls" if calls else "stop")
    if finish_reason == "content_filter" and refusal is None:
        refusal = FILTERED
    usage = _usage(provider, request, answer.usage, content, calls)
    generated = answer.usage is not None and bool(answer.usage.completion_tokens)
    if not (content or calls or refusal or generated):
        raise ProviderError(
            FailureMode.EMPTY_REPLY,
            f"provider {provider}: the reply is empty and no token was generated",
            retryable=True,
            may_be_billed=True,
        )
    return Reply(
        content=content,
        model=answer.model or request.model,
        usage=usage,
        origin="live",
        measurement_id=measurement_id,
        measured_at=measured_at,
        latency_s=latency_s,
        tool_calls=calls,
        finish_reason=finish_reason,
        refusal=refusal,
    )


def filtered_reply(
    request: Request, *, measurement_id: str, measured_at: str, latency_s: float
) -> Reply:
    """The refusal of a prompt that the provider's filter stopped before the model: nothing used."""
    return Reply(
        content="",
        model=request.model,
        usage=Usage(),
        origin="live",
        measurement_id=measurement_id,
        measured_at=measured_at,
        latency_s=latency_s,
        finish_reason="content_filter",
        refusal="the provider's content filter stopped the prompt",
    )


def _text(provider: str, content: str | list[dict[str, Any]] | None) -> str:
    """The text of a message, whose content some endpoints send in parts."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [part.get("text") for part in content if part.get("type") == "text"]
    if not all(isinstance(part, str) for part in parts):
        raise malformed(provider, "a text part of the reply holds no text")
    return "".join(part for part in parts if isinstance(part, str))


def _call(call: _ToolCall) -> ToolCall:
    arguments = call.function.arguments
    raw = None
    if isinstance(arguments, str):
        raw = arguments
        try:
            decoded = decode_json(arguments) if arguments.strip() else {}
        except (msgspec.MsgspecError, RecursionError):
            decoded = None
        arguments = decoded if isinstance(decoded, dict) else None
        raw = raw if arguments is None else None
    return ToolCall(name=call.function.name, arguments=arguments, id=call.id or "", raw=raw)


def _usage(
    provider: str,
    request: Request,
    usage: _Usage | None,
    content: str,
    calls: tuple[ToolCall, ...],
) -> Usage:
    """What the endpoint counted, or an estimate where it does not count."""
    if usage is None or usage.prompt_tokens is None:
        return estimate_usage(request, content, calls)
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens if details else None) or 0
    output = usage.completion_tokens or 0
    if min(usage.prompt_tokens, output, cached) < 0:
        raise malformed(provider, "the reply counts a negative number of tokens")
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=output,
        cached_tokens=min(cached, usage.prompt_tokens),
    )


def estimate_usage(request: Request, content: str, calls: tuple[ToolCall, ...] = ()) -> Usage:
    """Tokens by length, `BYTES_A_TOKEN` each, for what nobody counted; marked as estimated."""
    sent = sum(len(message.content.encode()) for message in request.messages)
    sent += sum(len(msgspec.json.encode(tool_payload(tool))) for tool in request.tools)
    received = len(content.encode()) + sum(len(msgspec.json.encode(call)) for call in calls)
    return Usage(
        input_tokens=math.ceil(sent / BYTES_A_TOKEN),
        output_tokens=math.ceil(received / BYTES_A_TOKEN),
        estimated=True,
    )
