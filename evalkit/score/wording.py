"""Values and sentences of messages: JSON as people read it, never long."""

from collections.abc import Sequence
from typing import Any

from evalkit.validation.wording import MISSING as MISSING
from evalkit.validation.wording import Missing as Missing
from evalkit.validation.wording import clip as clip
from evalkit.validation.wording import show as show

FOUND_LENGTH = 2_000


def one_line(text: str | None, length: int = 120) -> str:
    """An error's text as part of a sentence: on one line, clipped."""
    return clip(" ".join((text or "unknown").split()), length)


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
