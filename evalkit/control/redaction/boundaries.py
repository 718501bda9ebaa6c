"""Places in a text that no finding lies across, so that what is before them can be settled.

A place is told by what stands around it, not by what comes much later: between two plain words,
behind a line that ends in a bracket or a digit, behind a Chinese or Japanese sentence. Words of
spoken numbers and of addresses that are spelt out ("dot", "at") are not plain, and inside a block
of a private key no place counts until it ends.
"""

import re
from functools import cache

from evalkit.control.redaction.spoken import NUMBER_WORDS

# A stretch of text this long without such a place is cut where it ends.
LONGEST_STRETCH = 16_384
# No detector looks further back than this for the words before a finding.
CONTEXT = 96

_IDEOGRAPH = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
# A place is known once the next word is, so that many characters later.
_LOOKED_AHEAD = 64
_NOT_PLAIN = NUMBER_WORDS | {"dot", "at", "uh", "um", "er"}
_BLOCK = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
BLOCK_END = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BLOCK_LITERAL = "-----BEGIN"


@cache
def _place() -> re.Pattern[str]:
    """The pattern of places, compiled for the first text that comes in pieces."""
    return re.compile(
        r"(?<!\w)(?P<before>[^\W\d_]{2,24})[.,;!?]?[ \n]"
        r"(?=(?P<after>[^\W\d_][^\W\d_A-Z]{1,23})[^\w])"
        r"|(?:(?<=[}\]>;])\r?\n|(?<=\d)\r?\n(?=[\d{\[\"]))"
        rf"|(?<={_IDEOGRAPH})[。！？；，、](?={_IDEOGRAPH})"
    )


def last_place(text: str, start: int, end: int, *, seen: int = 0) -> int:
    """The last place in text[start:end] that may be cut; `start` where there is none.

    Up to `seen` the same text was looked at before, in vain.
    """
    lowest = max(start, seen - _LOOKED_AHEAD)
    span = _LOOKED_AHEAD
    while True:
        first = max(lowest, end - span)
        for match in reversed(list(_place().finditer(text, first, end))):
            if match.end() <= end and _is_plain(match):
                block = open_block(text, start, match.end())
                if block is None:
                    return match.end()
                end = block  # nothing behind it counts
        if first == lowest:
            return start
        span *= 8


def _is_plain(place: re.Match[str]) -> bool:
    before, after = place.group("before", "after")
    return before is None or not (before.lower() in _NOT_PLAIN or after.lower() in _NOT_PLAIN)


def open_block(text: str, start: int, end: int) -> int | None:
    """Where a private key begins in text[start:end] that does not end there."""
    at = text.rfind(_BLOCK_LITERAL, start, end)
    while at >= 0:
        block = _BLOCK.match(text, at, end)
        if block is not None:
            return None if BLOCK_END.search(text, block.end(), end) else at
        at = text.rfind(_BLOCK_LITERAL, start, at)
    return None
