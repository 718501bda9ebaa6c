"""Blocked phrases in an answer that comes in pieces: nothing is handed on that may begin one.

A literal phrase can be told from its first letters, so the text is held back from the last place at
which one may have begun, in prose a few letters. A pattern can match whatever its author likes, at
any length: an answer that has to pass one is held back whole (see acts/outflow.py).
"""

from collections.abc import Sequence

from evalkit.control.phrases import BLOCKED, CompiledPhrase, merged_spans
from evalkit.control.plain_text import (
    PlainText,
    part_of_escape,
    plain_view,
    views,
    without_marks,
)

# what is kept of the text that was handed on, to tell whether a word began in it
_CONTEXT = 64


# What is held back is looked at anew with every piece. So much that may all be within one phrase,
# letters that nobody sees for example, is no prose: the rest is looked at when the text has ended.
_MOST_HELD = 1_024


class PhraseWindow:
    """Looks for literal phrases in pieces of a text. What it gives back, put together, is what
    `PhraseScreen.reply` makes of the whole text, however it was cut."""

    def __init__(self, phrases: Sequence[CompiledPhrase]) -> None:
        """`phrases` block or redact, and none is a pattern."""
        self._phrases = tuple(phrases)
        self._spelled = [
            _collapsed(plain_view(each.phrase.text or "", folded=True))[0] for each in phrases
        ]
        self._before = ""
        self._pending = ""
        self.blocked = False

    def feed(self, piece: str) -> str:
        """What may be handed on now that this piece has come. Nothing once a phrase was found that
        blocks: `blocked` tells."""
        is_long = len(self._pending) > _MOST_HELD
        self._pending += piece
        return "" if is_long else self._release(self._end_of_certain())

    def close(self) -> str:
        """The rest."""
        return self._release(len(self._pending))

    def _end_of_certain(self) -> int:
        """How much of what is pending belongs to no phrase that more text could make whole."""
        text = self._before + self._pending
        end = part_of_escape(text)
        for plain in views(text[:end], folded=True):
            view, origin = _collapsed(plain)
            # a mark that comes may belong before those that are there
            for seen in {view, without_marks(view)}:
                for spelled in self._spelled:
                    begun = range(min(len(spelled), len(seen)), 0, -1)
                    n = next((n for n in begun if seen.endswith(spelled[:n])), 0)
                    end = min(end, origin[len(seen) - n] if n else end)
        spans = [span for each in self._phrases for span in each.spans(text)]
        # a phrase that is whole already, and ends where another one begins, stays in one piece
        while crossed := [start for start, stop in spans if start < end < stop]:
            end = min(crossed)
        return max(0, end - len(self._before))

    def _release(self, end: int) -> str:
        text, known = self._before + self._pending[:end], len(self._before)
        replaced: list[tuple[int, int]] = []
        for each in self._phrases:
            # how a word goes on behind `end` is part of whether it is one
            found = [
                (start, stop)
                for start, stop in each.spans(self._before + self._pending)
                if known <= start and stop <= len(text)
            ]
            if found and each.phrase.mode == "block":
                self.blocked = True
            replaced += found
        if self.blocked:
            return ""
        parts, at = [], known
        for start, stop in merged_spans(replaced):
            parts += [text[at:start], BLOCKED]
            at = stop
        parts.append(text[at:])
        self._before, self._pending = text[-_CONTEXT:], self._pending[end:]
        return "".join(parts)


def _collapsed(plain: PlainText) -> tuple[str, list[int]]:
    """The view as phrases are compared: every white space one space.

    With the place in `text` that each letter came from.
    """
    letters: list[str] = []
    places: list[int] = []
    for letter, (place, _) in zip(plain.letters, plain.places, strict=True):
        if letter.isspace():
            if letters and letters[-1] == " ":
                continue
            letter = " "
        letters.append(letter)
        places.append(place)
    return "".join(letters), places
