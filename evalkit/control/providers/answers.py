"""What every wire format's reply is read into, and how it becomes a Reply."""

import math

import msgspec

from evalkit.control.providers.openai_request import tool_payload
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Guardrail, Reply, Request, ToolCall, Usage
from evalkit.records.json_text import decode_json

# Nobody counted: the length of a token of English text, about.
BYTES_A_TOKEN = 4
FILTERED = "the provider's content filter withheld the reply"
PROMPT_FILTERED = "the provider's content filter stopped the prompt"
REFUSED = "the model refused to answer"
# past it the sums of a run could no longer be stored
_MOST_TOKENS = 2**40


class MalformedAnswer(ValueError):
    """A body that arrived whole and is no reply."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A reply without what only the caller knows: provider, time, measurement.

    `finish_reason` is stop, length, tool_calls or content_filter, whatever the vendor calls it; a
    rarer end keeps the vendor's name.
    `usage` is None where the endpoint does not count; `generated` tells that it counted tokens of
    the reply all the same. `id` is the vendor's, empty without one. `guardrails` are what its own
    guardrails found.
    """

    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    refusal: str | None = None
    usage: Usage | None = None
    generated: bool = False
    model: str | None = None
    id: str = ""
    guardrails: tuple[Guardrail, ...] = ()


def reply_from(
    provider: str,
    request: Request,
    answer: Answer,
    *,
    measurement_id: str,
    measured_at: str,
    latency_s: float,
    request_id: str = "",
) -> Reply:
    """The answer as a Reply.

    An empty text is the model's own answer where tokens were generated for it. Raises
    ProviderError(empty_reply) where none was.
    """
    generated = answer.generated or (answer.usage is not None and answer.usage.output_tokens > 0)
    if not (answer.content or answer.tool_calls or answer.refusal or generated):
        raise ProviderError(
            FailureMode.EMPTY_REPLY,
            f"provider {provider}: the reply is empty and no token was generated",
            retryable=True,
            may_be_billed=True,
        )
    return Reply(
        content=answer.content,
        model=answer.model or request.model,
        usage=answer.usage or estimate_usage(request, answer.content, answer.tool_calls),
        origin="live",
        measurement_id=measurement_id,
        measured_at=measured_at,
        latency_s=latency_s,
        tool_calls=answer.tool_calls,
        finish_reason=answer.finish_reason,
        refusal=answer.refusal,
        guardrails=answer.guardrails,
        request_id=request_id,
    )


def malformed(provider: str, why: str) -> ProviderError:
    """A reply that arrived whole and says nothing."""
    return ProviderError(
        FailureMode.MALFORMED_REPLY,
        f"provider {provider}: {why}",
        retryable=True,
        may_be_billed=True,
    )


def call_from_text(name: str, arguments: str, call_id: str | None) -> ToolCall:
    """A tool call whose arguments came as text; what is no JSON object is kept as it came."""
    try:
        decoded = decode_json(arguments) if arguments.strip() else {}
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        decoded = None
    given = decoded if isinstance(decoded, dict) else None
    raw = arguments if given is None else None
    return ToolCall(name=name, arguments=given, id=call_id or "", raw=raw)


def counted(
    *,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
) -> Usage:
    """What an endpoint counted: cached and written tokens inside the input, reasoning inside the
    output, and none of them twice, whatever it says.

    Raises MalformedAnswer for a negative count.
    """
    cached, written = cached_tokens or 0, cache_write_tokens or 0
    thought = reasoning_tokens or 0
    if min(input_tokens, output_tokens, cached, written, thought) < 0:
        raise MalformedAnswer("the reply counts a negative number of tokens")
    if max(input_tokens, output_tokens, cached, written, thought) > _MOST_TOKENS:
        raise MalformedAnswer("the reply counts more tokens than any reply has")
    cached = min(cached, input_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached,
        cache_write_tokens=min(written, input_tokens - cached),
        reasoning_tokens=min(thought, output_tokens),
    )


def estimate_usage(request: Request, content: str, calls: tuple[ToolCall, ...] = ()) -> Usage:
    """Tokens by length, `BYTES_A_TOKEN` each, for what nobody counted; marked as estimated."""
    sent = sum(len(message.content.encode()) for message in request.messages)
    sent += sum(
        len(msgspec.json.encode(call))
        for message in request.messages
        for call in message.tool_calls
    )
    sent += sum(len(msgspec.json.encode(tool_payload(tool))) for tool in request.tools)
    received = len(content.encode()) + sum(len(msgspec.json.encode(call)) for call in calls)
    return Usage(
        input_tokens=math.ceil(sent / BYTES_A_TOKEN),
        output_tokens=math.ceil(received / BYTES_A_TOKEN),
        estimated=True,
    )
