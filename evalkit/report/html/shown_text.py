"""Texts as the page's data holds them: safe to show, and clipped so that a page stays a page."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.report.structures import encode
from evalkit.report.untrusted import one_line, visible

Shown = str | tuple[str, int, int]
"""A text; of a clipped one its start, its whole length in characters, and a checksum of it all."""

MOST_TEXT = 20_000
"""Characters of one text that are kept."""

_MOST_CROWDED = 800
_MOST_PAGE = 24_000_000
_MOST_ON_A_LINE = 72


class Room(msgspec.Struct):
    """How much text a page still takes. When it is used up, what comes later is clipped shorter.

    The cases that broke come first, so it is what passed that is shortened.
    """

    left: int = _MOST_PAGE

    def shown(self, text: str) -> Shown:
        """The text, clipped where it is long."""
        limit = MOST_TEXT if self.left > 0 else _MOST_CROWDED
        kept = visible(text[:limit])
        self.left -= len(kept)
        if len(text) <= limit:
            return kept
        return kept, len(text), zlib.crc32(text.encode("utf-8", "surrogatepass"))


def mapping_texts(values: Mapping[str, Any], room: Room) -> list[tuple[str, Shown]]:
    """Each key with its value as text; strings as they are, structures as indented JSON."""
    return [(one_line(key), room.shown(value_text(value))) for key, value in values.items()]


def value_text(value: Any) -> str:
    """A value for reading: JSON on one line where it fits, else indented."""
    if isinstance(value, str):
        return value
    text = encode(value)
    if len(text) <= _MOST_ON_A_LINE or not isinstance(value, dict | list):
        return text
    return indented(value)


def indented(value: Any) -> str:
    """Indented JSON in any script; numbers keep their form, so that 1 and 1.0 differ."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str, indent=2)
    except RecursionError:
        return "(nested too deeply to show)"
