"""Values in messages: JSON as people read it, never long."""

import json
from typing import Any

MESSAGE_LENGTH = 200
VALUE_LENGTH = 70
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


class Missing:
    """Stands for a key that is not there, which is another thing than a null."""

    def __repr__(self) -> str:
        """As messages show it."""
        return "nothing"


MISSING = Missing()


def clip(text: str, length: int = MESSAGE_LENGTH) -> str:
    """The text with its end replaced by `…` where it is longer than `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def show(value: Any, length: int = VALUE_LENGTH) -> str:
    """A value as one line of JSON, clipped."""
    if isinstance(value, Missing):
        return repr(value)
    if isinstance(value, str):
        value = clip(value, 4 * length)  # so that a long reply is not encoded for nothing
    try:
        text = _ENCODE(value)
    except (ValueError, RecursionError):  # more digits, or levels, than Python prints
        text = f"a {type(value).__name__} too large to show"
    return clip(text, length)
