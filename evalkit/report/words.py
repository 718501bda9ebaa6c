"""Two texts by their words: what is equal on both sides, and what is only on one."""

import difflib
import re
from collections.abc import Sequence

Segment = tuple[str, bool]
"""A piece of text, and whether only its own side has it."""

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
# matching is quadratic at worst; past this many words the middle is shown as changed as a whole
_MOST_WORDS = 1500
_CONTEXT = 48
_LITTLE = 8
_CRUMB = 3


def diff_words(before: str, after: str) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """Both texts as segments; joined, each gives its text back. With next to nothing in common
    each is one changed segment.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    start = _common(old, new)
    old_rest, new_rest = old[start:], new[start:]
    end = _common(old_rest[::-1], new_rest[::-1])
    old_middle = old_rest[: len(old_rest) - end]
    new_middle = new_rest[: len(new_rest) - end]
    head = [("".join(old[:start]), False)]
    tail = [("".join(old_rest[len(old_rest) - end :]), False)]
    old_segments, new_segments = _match(old_middle, new_middle)
    old_all = _joined([*head, *old_segments, *tail])
    new_all = _joined([*head, *new_segments, *tail])
    common = "".join(text for text, changed in old_all if not changed)
    if len(common) <= _LITTLE and not any(character.isalnum() for character in common):
        # a pair of quotes or a blank is no common ground
        return ((before, True),), ((after, True),)
    return old_all, new_all


def shorten(segments: Sequence[Segment], context: int = _CONTEXT) -> tuple[Segment, ...]:
    """The segments with long equal stretches cut to `context` characters beside each change."""
    shown: list[Segment] = []
    for index, (text, changed) in enumerate(segments):
        first, last = index == 0, index == len(segments) - 1
        sides = 2 - first - last
        if changed or len(text) <= context * max(1, sides) + 8:
            shown.append((text, changed))
        elif first and last:
            shown.append((f"{_start(text, 2 * context)}…", False))
        elif first:
            shown.append((f"…{_end(text, context)}", False))
        elif last:
            shown.append((f"{_start(text, context)}…", False))
        else:
            shown.append((f"{_start(text, context)} … {_end(text, context)}", False))
    return tuple(shown)


def _start(text: str, length: int) -> str:
    """The first `length` characters, back to the end of a word where one ends there."""
    cut = text[:length]
    words, _, rest = cut.rpartition(" ")
    return words if words and len(rest) < 20 else cut


def _end(text: str, length: int) -> str:
    cut = text[-length:]
    rest, _, words = cut.partition(" ")
    return words if words and len(rest) < 20 else cut


def _match(old: list[str], new: list[str]) -> tuple[list[Segment], list[Segment]]:
    if max(len(old), len(new)) > _MOST_WORDS or not old or not new:
        return [("".join(old), True)], [("".join(new), True)]
    opcodes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    old_segments: list[Segment] = []
    new_segments: list[Segment] = []
    for index, (tag, i, j, k, m) in enumerate(opcodes):
        between = 0 < index < len(opcodes) - 1
        changed = tag != "equal" or (between and _is_crumb("".join(old[i:j])))
        old_segments.append(("".join(old[i:j]), changed))
        new_segments.append(("".join(new[k:m]), changed))
    return old_segments, new_segments


def _is_crumb(text: str) -> bool:
    """Whether an equal piece between two changes is too little to say that anything stayed."""
    return len(text.strip()) <= _CRUMB or not any(character.isalnum() for character in text)


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many words both start with."""
    length = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        length += 1
    return length


def _joined(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments without empty ones, and with neighbours of a kind made one."""
    joined: list[Segment] = []
    for text, changed in segments:
        if not text:
            continue
        if joined and joined[-1][1] == changed:
            joined[-1] = (joined[-1][0] + text, changed)
        else:
            joined.append((text, changed))
    return tuple(joined)
