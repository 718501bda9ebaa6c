"""The body of a chat completion as an Answer."""

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
from evalkit.control.providers.guardrails import azure_filters, azure_prompt_filters, with_block
from evalkit.records.call import Guardrail, ToolCall, Usage


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
    content_filter_results: Any = None
    error: Any = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class ChatCompletion(msgspec.Struct):
    """As much of a chat completion as is read; everything else is ignored."""

    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    prompt_filter_results: Any = None
    error: Any = None


_COMPLETIONS = msgspec.json.Decoder(ChatCompletion)


def read_completion(body: bytes) -> Answer | ErrorBody:
    """The body of a 200. Raises MalformedAnswer, and msgspec's errors for what is no completion."""
    return answer_of(_COMPLETIONS.decode(body))


def convert_completion(data: Any) -> Answer | ErrorBody:
    """The same from plain data."""
    return answer_of(msgspec.convert(data, ChatCompletion))


def answer_of(completion: ChatCompletion) -> Answer | ErrorBody:
    """The first choice, or the error that came in its place.

    A filtered reply is a refusal: it was asked for, it was billed, and asking again does not help.
    Raises MalformedAnswer without a choice.
    """
    problem = completion.error or (completion.choices and completion.choices[0].error)
    if problem:
        return error_from(problem)
    choice = completion.choices[0] if completion.choices else _Choice()
    message = choice.message
    if message is None and choice.finish_reason == "content_filter":
        message = _Message()  # Azure sends none of what it held back
    if message is None:
        raise MalformedAnswer("the reply has no choices")
    calls = tuple(_call(each) for each in message.tool_calls or ())
    refusal = message.refusal or None
    finish_reason = choice.finish_reason or ("tool_calls" if calls else "stop")
    found: tuple[Guardrail, ...] = ()
    if completion.prompt_filter_results or choice.content_filter_results:
        found = (
            *azure_prompt_filters(completion.prompt_filter_results),
            *azure_filters(choice.content_filter_results, "reply"),
        )
    if finish_reason == "content_filter":
        refusal = refusal or FILTERED
        found = with_block(found, "content_filter")
    return Answer(
        content=_text(message.content),
        tool_calls=calls,
        finish_reason=finish_reason,
        refusal=refusal,
        usage=_usage(completion.usage),
        generated=completion.usage is not None and bool(completion.usage.completion_tokens),
        model=completion.model,
        id=completion.id or "",
        guardrails=found,
    )


def _text(content: str | list[dict[str, Any]] | None) -> str:
    """The text of a message, whose content some endpoints send in parts."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [part.get("text") for part in content if part.get("type") == "text"]
    if not all(isinstance(part, str) for part in parts):
        raise MalformedAnswer("a text part of the reply holds no text")
    return "".join(part for part in parts if isinstance(part, str))


def _call(call: _ToolCall) -> ToolCall:
    arguments = call.function.arguments
    if not isinstance(arguments, str):
        return ToolCall(name=call.function.name, arguments=arguments, id=call.id or "")
    return call_from_text(call.function.name, arguments, call.id)


def _usage(usage: _Usage | None) -> Usage | None:
    """What the endpoint counted; None where it does not count the input."""
    if usage is None or usage.prompt_tokens is None:
        return None
    read = usage.prompt_tokens_details or _InputDetails()
    said = usage.completion_tokens_details or _OutputDetails()
    return counted(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens or 0,
        cached_tokens=read.cached_tokens,
        cache_write_tokens=read.cache_write_tokens,
        reasoning_tokens=said.reasoning_tokens,
    )
