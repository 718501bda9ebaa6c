"""A series in one line of characters, for terminals with block characters and without."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What a series is drawn with: `levels` from low to high, `missing` for a point without a
    value; `plain` are the characters to write instead of those that the terminal lacks."""

    levels: str
    missing: str
    plain: Mapping[str, str]

    def shown(self, text: str) -> str:
        """The text in characters that the terminal has."""
        for character, instead in self.plain.items():
            text = text.replace(character, instead)
        return text


BLOCKS = Glyphs("▁▂▃▄▅▆▇█", "·", {})
ASCII = Glyphs("_.:-=+*#", "?", {"→": "->", "–": "-", "⏎": "|", "…": "..."})


def glyphs_of(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Glyphs:
    """Blocks where the stream's encoding has them, and its terminal a font for them."""
    if stream.isatty() and environ.get("TERM") in ("dumb", "linux", "vt100"):
        return ASCII
    try:
        (BLOCKS.levels + BLOCKS.missing).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def sparkline(values: Sequence[float | None], *, width: int, glyphs: Glyphs = BLOCKS) -> str:
    """The last `width` values, one character each, between the lowest and the highest of them.

    Values that are all alike stand in the middle.
    """
    shown = values[-width:] if width > 0 else ()
    known = [value for value in shown if value is not None]
    if not known:
        return glyphs.missing * len(shown)
    low, high = min(known), max(known)
    top = len(glyphs.levels) - 1

    def character(value: float | None) -> str:
        if value is None:
            return glyphs.missing
        share = 0.5 if high == low else (value - low) / (high - low)
        return glyphs.levels[min(top, int(share * (top + 1)))]

    return "".join(character(value) for value in shown)
