"""What a reply says, as scorers read it."""

from typing import Any

import msgspec

from evalkit.records.attempt import Attempt
from evalkit.records.json_text import decode_json
from evalkit.score.scorer import Judgement
from evalkit.score.wording import MISSING, one_line, show, stored


class NotJson(msgspec.Struct, frozen=True):
    """Why there is no JSON to look at."""

    reason: str


def reply_json(attempt: Attempt) -> Any:
    """The JSON of the reply, or NotJson. A prompt that asks for text may still get JSON."""
    if attempt.parsed is not None:
        return attempt.parsed
    if attempt.output is None:
        return NotJson(without_reply(attempt))
    try:
        return decode_json(attempt.output)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        if not attempt.output.strip() and attempt.tool_calls:
            return NotJson("found tool calls and no text")
        return NotJson(f"found no JSON: {show(attempt.output)}")


def reply_field(attempt: Attempt, field: str) -> Any:
    """A key of the JSON object that the reply is, MISSING where it has none, or NotJson."""
    value = reply_json(attempt)
    if isinstance(value, NotJson):
        return value
    if not isinstance(value, dict):
        return NotJson(f"found no JSON object: {show(value)}")
    return value.get(field, MISSING)


def without_reply(attempt: Attempt) -> str:
    """That there is no reply, and why."""
    why = (
        f" ({attempt.state}: {one_line(attempt.error)})" if attempt.error else f" ({attempt.state})"
    )
    return f"found no reply{why}"


def no_reply(attempt: Attempt, expected: Any) -> Judgement:
    """The judgement on an attempt whose text is asked for and that has none."""
    return Judgement(
        passed=False,
        message=f"expected {show(expected)}, {without_reply(attempt)}",
        expected=stored(expected),
    )
