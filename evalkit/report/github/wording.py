"""Sentences of evalkit as Markdown: what they quote in backticks stays code, all else is text."""

from itertools import pairwise

from evalkit.report.markup import code_span, prose
from evalkit.report.untrusted import clip, one_line


def spoken(text: str, most: int) -> str:
    """A sentence of at most about `most` characters, on one line.

    Whatever it holds is text or code: where backticks do not pair up, none of them quotes.
    """
    line = one_line(clip(text, most))
    pieces = [
        code_span(part) if number % 2 else _kept(part)
        for number, part in enumerate(line.split("`"))
    ]
    whole = len(pieces) % 2 == 1 and all(part.strip() for part in line.split("`")[1::2])
    # two runs of backticks side by side would be one, and quote something else
    apart = not any(
        one.endswith("`") and other.startswith("`")
        for one, other in pairwise(piece for piece in pieces if piece)
    )
    return "".join(pieces) if whole and apart else prose(line)


def _kept(part: str) -> str:
    """A piece between two quotations, with the blanks at its ends."""
    if not part.strip():
        return part
    start = " " if part[0] == " " else ""
    end = " " if part[-1] == " " else ""
    return f"{start}{prose(part)}{end}"
