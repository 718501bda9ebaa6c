"""What may be stored of an attempt: redacted, and encodable whatever a model wrote."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from evalkit.records.call import Decision, Fallback, ToolCall
from evalkit.records.placeholder import SMALLEST_NUMBER

# What is nested deeper is nobody's answer, and would exhaust the stack of whoever walks it.
MAX_DEPTH = 100
TOO_DEEP = "(nested too deep to be stored)"
_MAX_BITS = 256
TOO_LONG = "(too long a number to be stored)"

Redact = Callable[[str], str]


def stored_text(text: str, redact: Redact) -> str:
    """The text, redacted; a lone surrogate, which no file can hold, becomes a question mark."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return redact(text)


def stored_value(value: Any, redact: Redact, depth: int = 0) -> Any:
    """JSON with every text in it redacted, keys too.

    A number that the redactor takes for personal data becomes its placeholder, a text; so does one
    that JSON cannot hold. Below `MAX_DEPTH` levels a text stands for the rest.
    """
    if isinstance(value, str):
        return stored_text(value, redact)
    if isinstance(value, dict | list | tuple):
        if depth >= MAX_DEPTH:
            return TOO_DEEP
        if isinstance(value, dict):
            return {
                stored_text(str(key), redact): stored_value(each, redact, depth + 1)
                for key, each in value.items()
            }
        return [stored_value(each, redact, depth + 1) for each in value]
    if isinstance(value, int | float) and not abs(value) < SMALLEST_NUMBER:
        return _stored_number(value, redact)
    return value


def _stored_number(number: float, redact: Redact) -> Any:
    if isinstance(number, int) and number.bit_length() > _MAX_BITS:
        return TOO_LONG
    if not math.isfinite(number):
        return str(number)
    text = str(int(number)) if number == int(number) else repr(number)
    redacted = redact(text)
    return number if redacted == text else redacted


def stored_tool_call(call: ToolCall, redact: Redact) -> ToolCall:
    """The call with its arguments and its raw text redacted."""
    return ToolCall(
        name=stored_text(call.name, redact),
        arguments=None if call.arguments is None else stored_value(call.arguments, redact),
        id=stored_text(call.id, redact),
        raw=None if call.raw is None else stored_text(call.raw, redact),
    )


def stored_fallback(hop: Fallback, redact: Redact) -> Fallback:
    """The hop with its message redacted: a provider may quote the request in it."""
    return Fallback(model=hop.model, code=hop.code, message=stored_text(hop.message, redact))


def stored_decisions(
    decisions: Sequence[Decision], redact: Redact, is_plain: Callable[[Iterable[str]], bool]
) -> tuple[Decision, ...]:
    """The decisions with their messages and data redacted.

    Most hold nothing of anybody's, which `is_plain` sees in one look at all of them.
    """
    texts: list[str] = []
    for decision in decisions:
        texts.append(decision.message)
        if not _add_texts(decision.data, texts):
            return tuple(stored_decision(each, redact) for each in decisions)
    if is_plain(texts):
        return tuple(decisions)
    return tuple(stored_decision(each, redact) for each in decisions)


def _add_texts(value: Any, texts: list[str], depth: int = 0) -> bool:
    """Add every text in a value; False where it holds something that has to be looked at itself."""
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        if depth >= MAX_DEPTH:
            return False
        for name, each in value.items():
            if not (isinstance(name, str) and _add_texts(each, texts, depth + 1)):
                return False
            texts.append(name)
    elif value is not None:
        return isinstance(value, int | float) and abs(value) < SMALLEST_NUMBER
    return True


def stored_decision(decision: Decision, redact: Redact) -> Decision:
    """The decision with its message and data redacted."""
    return Decision(
        act=decision.act,
        outcome=decision.outcome,
        rule=decision.rule,
        message=stored_text(decision.message, redact),
        at=decision.at,
        data=stored_value(decision.data, redact),
    )
