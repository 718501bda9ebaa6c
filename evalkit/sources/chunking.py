"""A text or Markdown file cut into chunks, the same ones whenever the file is the same."""

import re
from collections.abc import Callable, Iterator

import msgspec

from evalkit.config.indexes import Chunking
from evalkit.records.token_estimate import BYTES_PER_TOKEN, byte_size

# Part of an index's digest: another number wherever the same file would be cut otherwise.
CHUNKER = 1

_HEADING = re.compile(r"#{1,6}\s+\S")
_FENCE = re.compile(r"\s*(```|~~~)")
_PARAGRAPHS = re.compile(r"\n\s*\n")
_JOINT = "\n\n"
# no letter of UTF-8 is longer
_LONGEST_LETTER = 4


class _Limits(msgspec.Struct, frozen=True):
    """`size` measures in letters or in bytes; `letters` always fit into a chunk."""

    size: Callable[[str], int]
    chunk: int
    overlap: int
    letters: int


def cut_text(text: str, chunking: Chunking) -> list[str]:
    """The chunks of a text in order, none of them empty or above the limit.

    A heading begins a chunk. A section that is too long is cut between paragraphs, a paragraph
    that is too long between words, and a word that is too long anywhere.
    """
    limits = _limits(chunking)
    return [chunk for section in _sections(text) for chunk in _pack(section, limits)]


def _limits(chunking: Chunking) -> _Limits:
    if chunking.max_tokens is not None:
        most = chunking.max_tokens * BYTES_PER_TOKEN
        overlap = chunking.overlap * BYTES_PER_TOKEN
        return _Limits(byte_size, most, overlap, most // _LONGEST_LETTER)
    assert chunking.max_chars is not None, "the configuration fills in a limit"
    return _Limits(len, chunking.max_chars, chunking.overlap, chunking.max_chars)


def _sections(text: str) -> Iterator[str]:
    """From heading to heading; headings with nothing below them stay with what follows."""
    lines: list[str] = []
    has_text = fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        if not fenced and _HEADING.match(line):
            if has_text:
                yield "\n".join(lines).strip()
                lines, has_text = [], False
        elif line.strip():
            has_text = True
        lines.append(line.rstrip())
    if rest := "\n".join(lines).strip():
        yield rest


def _pack(section: str, limits: _Limits) -> Iterator[str]:
    if limits.size(section) <= limits.chunk:
        yield section
        return
    held = ""
    for piece, joint in _pieces(section, limits):
        if held and limits.size(held) + len(joint) + limits.size(piece) > limits.chunk:
            yield held
            held = _tail(held, limits, room=limits.chunk - limits.size(piece) - len(joint))
        held = f"{held}{joint}{piece}" if held else piece
    yield held


def _pieces(section: str, limits: _Limits) -> Iterator[tuple[str, str]]:
    """What is never cut again, each with what joins it to the piece before."""
    for paragraph in _PARAGRAPHS.split(section):
        paragraph = paragraph.strip()
        if limits.size(paragraph) <= limits.chunk:
            yield paragraph, _JOINT
            continue
        joint = _JOINT
        for word in paragraph.split():
            for start in range(0, len(word), limits.letters):
                yield word[start : start + limits.letters], joint if start == 0 else ""
                joint = " "


def _tail(chunk: str, limits: _Limits, *, room: int) -> str:
    """The last whole words of a chunk that the next one repeats, as far as they fit there."""
    most = min(limits.overlap, room)
    words: list[str] = []
    size = -1
    for word in reversed(chunk.split()):
        size += limits.size(word) + 1
        if size > most:
            break
        words.append(word)
    return " ".join(reversed(words))
