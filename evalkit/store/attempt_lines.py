"""The attempts of a bundle, read from its journal when they are asked for.

A run of a million attempts does not fit into memory. What is kept of each is where its line starts
and what finds it; the lines of a small file are kept as well, so that small runs are not read over
and over.
"""

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import msgspec

from evalkit.records.attempt import Attempt, Place
from evalkit.records.key_index import KeyIndex
from evalkit.store.file_spans import FileSpans
from evalkit.store.journal import decode_line, placed_lines, read_lines

HELD_BYTES = 4 * 1024 * 1024
"""A file of so many bytes is kept in memory."""


class AttemptLines(Sequence[Attempt]):
    """One attempt a place, the last one that was journalled, in the order of first lines.

    Every line is read once when this is made, so a damaged one is found then. Raises StoreError.
    """

    def __init__(self, path: Path, *, held_bytes: int = HELD_BYTES) -> None:
        """Reads the whole file; one that is not there holds nothing."""
        # of every line, also of those that were made again
        self.billed_usd, self.tokens = 0.0, 0
        self._path = path
        self._file = FileSpans(path)
        self._held_bytes = held_bytes
        self._decoder = msgspec.json.Decoder(Attempt)
        self._starts = array("q", [0])
        self._trials = array("i")
        self._index = KeyIndex()
        self._held: list[Attempt] | None = []
        # by the first line of a place the one that counts, where that is another
        self._last: dict[int, int] = {}
        self._again: set[int] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take in what was journalled since the file was read last."""
        lines = placed_lines(
            self._path,
            self._decoder,
            journal=True,
            start=self._starts[-1],
            first=len(self._index) + 1,
        )
        for end, attempt in lines:
            if self._held is not None:
                self._held.append(attempt)
            self._starts.append(end)
            self._take(attempt)
            if end > self._held_bytes:
                self._held = None

    def _take(self, attempt: Attempt) -> None:
        if attempt.billed_usd or attempt.origin == "live":
            self.billed_usd += attempt.billed_usd
            self.tokens += attempt.usage.total
        place = attempt.place
        key = key_of(*place[:3])
        before = self._first_of(key, place)
        number = self._index.add(key)
        self._trials.append(_short(attempt.trial))
        if before is not None:
            self._last[before] = number
            self._again.add(number)

    def line_of(self, place: Place) -> int | None:
        """The number of the first line about a place."""
        return self._first_of(key_of(*place[:3]), place)

    def _first_of(self, key: int, place: Place) -> int | None:
        trial = _short(place[3])
        for number in self._index.find(key):
            same = self._trials[number] == trial and number not in self._again
            if same and self._line(number).place == place:
                return number
        return None

    def _line(self, number: int) -> Attempt:
        if self._held is not None:
            return self._held[number]
        raw = self._file.read(self._starts[number], self._starts[number + 1])
        return decode_line(raw, self._decoder, self._path, number + 1)

    def __len__(self) -> int:
        """How many places have an attempt."""
        return len(self._index) - len(self._again)

    def __iter__(self) -> Iterator[Attempt]:
        """The attempts, in the order of first lines."""
        return (attempt for _, attempt in self.numbered())

    def numbered(self) -> Iterator[tuple[int, Attempt]]:
        """The attempts with the number of the first line of each, in that order."""
        count = len(self._index)
        for number, attempt in enumerate(self._lines()):
            if number == count:
                return
            if number in self._last:
                yield number, self._line(self._last[number])
            elif number not in self._again:
                yield number, attempt

    @property
    def lines(self) -> int:
        """How many lines were read, those of attempts that were made again too."""
        return len(self._index)

    def of_line(self, number: int) -> Attempt:
        """The attempt whose first line has that number."""
        return self._line(self._last.get(number, number))

    def _lines(self) -> Iterator[Attempt]:
        if self._held is not None:
            return iter(self._held)
        return read_lines(self._path, self._decoder, journal=True)

    @overload
    def __getitem__(self, at: int) -> Attempt: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Attempt]: ...
    def __getitem__(self, at: int | slice) -> Attempt | Sequence[Attempt]:
        """By position, which reads all of them: whoever knows the place asks `at`."""
        return tuple(self)[at]

    def __eq__(self, other: object) -> bool:
        """Whether it holds the same attempts in the same order."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def at(self, place: Place) -> Attempt | None:
        """The attempt of that place."""
        number = self.line_of(place)
        return None if number is None else self.of_line(number)

    def of_case(self, suite: str, variant: str, case: str) -> dict[int, Attempt]:
        """The attempts at a case in one arm, by trial."""
        found: dict[int, Attempt] = {}
        for number in self._index.find(key_of(suite, variant, case)):
            if number not in self._again:
                attempt = self.of_line(number)
                if attempt.place[:3] == (suite, variant, case):
                    found[attempt.trial] = attempt
        return found

    def superseded(self) -> Iterator[Attempt]:
        """What was made again, in the order of the journal."""
        last = set(self._last.values())
        for number, attempt in enumerate(self._lines()):
            if number in self._last or (number in self._again and number not in last):
                yield attempt

    def key(self, number: int) -> int:
        """The key of a line's arm and case, see `key_of`."""
        return self._index.key(number)

    def is_at(self, number: int, place: Place) -> bool:
        """Whether the line of that number is about a place, and nothing was made again."""
        return (
            not self._again
            and number < len(self._index)
            and self._trials[number] == _short(place[3])
            and self._index.key(number) == key_of(*place[:3])
        )


def key_of(suite: str, variant: str, case: str) -> int:
    """What lines about a case in one arm are found by, within one process."""
    return hash((suite, variant, case))


def _short(trial: int) -> int:
    """Any number in 31 bits; those of runs are small and stay as they are."""
    return trial & 0x7FFFFFFF
