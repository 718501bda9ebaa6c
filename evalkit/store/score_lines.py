"""The scores of a bundle, read when they are asked for.

They stand in the order of the attempts, those of one attempt together, so that what finds an
attempt finds its scores too. A file in another order has an index of its own.
"""

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import msgspec

from evalkit.records.attempt import Place
from evalkit.records.key_index import KeyIndex
from evalkit.records.score import Score
from evalkit.store.attempt_lines import HELD_BYTES, AttemptLines, key_of
from evalkit.store.file_spans import FileSpans
from evalkit.store.journal import decode_line, placed_lines, read_lines

# scores follow from attempts and judgments: nothing is lost with them
_AGAIN = "`evalkit score RUN` writes the file again, without asking a model"


class ScoreLines(Sequence[Score]):
    """The lines of scores.jsonl. Raises StoreError."""

    def __init__(
        self,
        path: Path,
        attempts: AttemptLines,
        *,
        held_bytes: int = HELD_BYTES,
        empty: bool = False,
    ) -> None:
        """Reads every line once; a file that is not there holds nothing. Of one that is `empty`
        yet, `take` is told what is written."""
        self._path = path
        self._attempts = attempts
        self._held_bytes = held_bytes
        self._decoder = msgspec.json.Decoder(Score)
        self._file = FileSpans(path)
        self._count = 0
        # where the scores of each attempt start, and where the last ones end
        self._starts = array("q", [0])
        self._own: KeyIndex | None = None
        self._held: list[tuple[Score, ...]] | None = []
        if not empty:
            self._read()

    def _read(self) -> None:
        place: Place | None = None
        scores: list[Score] = []
        end = 0
        for after, score in placed_lines(self._path, self._decoder, advice=_AGAIN):
            if score.place != place:
                if place is not None:
                    self.take(scores, end)
                place, scores = score.place, []
            scores.append(score)
            end = after
        if place is not None:
            self.take(scores, end)

    def take(self, scores: Sequence[Score], end: int) -> None:
        """Take in the scores of one attempt, at least one, that were written last: the file ends
        at `end` with them. The attempt is among the attempts already."""
        place, number = scores[0].place, self.groups
        if self._own is None and not self._attempts.is_at(number, place):
            self._own = KeyIndex()
            for earlier in range(number):
                self._own.add(self._attempts.key(earlier))
        if self._own is not None:
            self._own.add(key_of(*place[:3]))
        self._starts.append(end)
        self._count += len(scores)
        if self._held is not None:
            self._held.append(tuple(scores))
            if end > self._held_bytes:
                self._held = None

    @property
    def groups(self) -> int:
        """Of how many attempts there are scores, where each has its own together."""
        return len(self._starts) - 1

    def moved(self, path: Path) -> None:
        """The file has another name now."""
        self._path, self._file = path, FileSpans(path)

    @property
    def in_order(self) -> bool:
        """Whether they stand in the order of the attempts."""
        return self._own is None

    def of(self, place: Place) -> Sequence[Score]:
        """The scores of one attempt, in the order of the file."""
        if self._own is not None:
            numbers = self._own.find(key_of(*place[:3]))
            groups = [self._group(number) for number in numbers]
            return [score for group in groups for score in group if score.place == place]
        number = self._attempts.line_of(place)
        return () if number is None or number >= self.groups else self._group(number)

    def _group(self, number: int) -> Sequence[Score]:
        if self._held is not None:
            return self._held[number]
        raw = self._file.read(self._starts[number], self._starts[number + 1])
        return [
            decode_line(line, self._decoder, self._path, f"group {number + 1}", advice=_AGAIN)
            for line in raw.splitlines()
        ]

    def __len__(self) -> int:
        """How many scores there are."""
        return self._count

    def __iter__(self) -> Iterator[Score]:
        """The scores in the order of the file."""
        if self._held is not None:
            return (score for group in self._held for score in group)
        return read_lines(self._path, self._decoder, advice=_AGAIN)

    @overload
    def __getitem__(self, at: int) -> Score: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Score]: ...
    def __getitem__(self, at: int | slice) -> Score | Sequence[Score]:
        """By position, which reads all of them: whoever knows the attempt asks `of`."""
        return tuple(self)[at]

    def __eq__(self, other: object) -> bool:
        """Whether it holds the same scores in the same order."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
