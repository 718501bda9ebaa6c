"""Values and sentences of messages: JSON as people read it, never long."""

import json
from collections.abc import Sequence
from typing import Any

MESSAGE_LENGTH = 200
VALUE_LENGTH = 70
FOUND_LENGTH = 2_000


class Missing:
    """Stands for a key that is not there, which is another thing than a null."""

    def __repr__(self) -> str:
        """As messages show it."""
        return "nothing"


MISSING = Missing()


def clip(text: str, length: int = MESSAGE_LENGTH) -> str:
    """The text with its end replaced by `…` where it is longer than `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def one_line(text: str | None, length: int = 120) -> str:
    """An error's text as part of a sentence: on one line, clipped."""
    return clip(" ".join((text or "unknown").split()), length)


def show(value: Any, length: int = VALUE_LENGTH) -> str:
    """A value as one line of JSON, clipped."""
    if isinstance(value, Missing):
        return repr(value)
    if isinstance(value, str):
        value = clip(value, 4 * length)  # so that a long reply is not encoded for nothing
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):  # more digits, or levels, than Python prints
        text = f"a {type(value).__name__} too large to show"
    return clip(text, length)


def listed(texts: Sequence[str], most: int = 3) -> str:
    """The first few, separated by semicolons, and how many there are besides."""
    rest = len(texts) - most
    shown = "; ".join(texts[:most])
    return f"{shown}; and {rest} more" if rest > 0 else shown


def stored(value: Any) -> Any:
    """A value as a score stores it: no sentinel, and no whole reply again."""
    if isinstance(value, Missing):
        return None
    return clip(value, FOUND_LENGTH) if isinstance(value, str) else value
