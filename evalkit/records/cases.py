"""Cases of any number: kept as texts, made into objects when they are looked at.

What is held a case is where its text stands and a slot of an index, about 30 bytes, so that a
golden set of a million cases is not a million objects. A small set is decoded once.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, overload

import msgspec

from evalkit.records.case import Case

# Sets up to here are decoded once and then held, as objects cost less than reading again.
_HELD = 4_096
_DECODER = msgspec.json.Decoder(Case)
_ENCODER = msgspec.json.Encoder()


class _Named(msgspec.Struct):
    id: str


_NAMES = msgspec.json.Decoder(_Named)


class Texts(Protocol):
    """Texts one behind the other, in memory or in a file. What was added never changes."""

    def add(self, text: bytes) -> int:
        """Where the text stands from now on."""

    def read(self, start: int, size: int) -> bytes:
        """The text that stands there."""


class MemoryTexts:
    """Texts in memory."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        """No text yet."""
        self._bytes = bytearray()

    def add(self, text: bytes) -> int:
        """Where the text stands from now on."""
        start = len(self._bytes)
        self._bytes += text
        return start

    def read(self, start: int, size: int) -> bytes:
        """The text that stands there."""
        return bytes(self._bytes[start : start + size])


class IdIndex:
    """Finds positions by id without holding the ids: twelve to twenty bytes each.

    An open hash table over 32 bits of each id's hash; `id_at` reads the id at a position, which is
    asked for where the hashes are equal, so that what is found is certain.
    """

    __slots__ = ("_hashes", "_id_at", "_last", "_mask", "_slots", "repeated")

    def __init__(self, id_at: Callable[[int], str]) -> None:
        """Nothing is indexed yet."""
        self._id_at = id_at
        self._hashes = array("I")
        self._mask = 63
        self._slots = array("I", bytes(4 * 64))
        # what was found last: lines about one case follow each other
        self._last: tuple[str, int] | None = None
        # the first position whose id stands at an earlier one, too
        self.repeated: int | None = None

    def add(self, id_: str) -> int | None:
        """Index the id at the next position; the first position of the id, if it has one already.

        The next position is taken by it even then.
        """
        short = hash(id_) & 0xFFFFFFFF
        found = self._find(id_, short)
        position = len(self._hashes)
        self._hashes.append(short)
        if found is None:
            self._put(short, position)
            if 2 * position > self._mask:
                self._grow()
        elif self.repeated is None:
            self.repeated = position
        return found

    @property
    def count(self) -> int:
        """How many positions are taken."""
        return len(self._hashes)

    def find(self, id_: str) -> int | None:
        """The position of the id, the first where it was added twice; None where it was not."""
        if self._last is not None and self._last[0] == id_:
            return self._last[1]
        found = self._find(id_, hash(id_) & 0xFFFFFFFF)
        if found is not None:
            self._last = id_, found
        return found

    def _find(self, id_: str, short: int) -> int | None:
        slot = short & self._mask
        while taken := self._slots[slot]:
            if self._hashes[taken - 1] == short and self._id_at(taken - 1) == id_:
                return taken - 1
            slot = (slot + 1) & self._mask
        return None

    def _put(self, short: int, position: int) -> None:
        slot = short & self._mask
        while self._slots[slot]:
            slot = (slot + 1) & self._mask
        self._slots[slot] = position + 1

    def _grow(self) -> None:
        old = self._slots
        self._mask = 2 * self._mask + 1
        self._slots = array("I", bytes(4 * (self._mask + 1)))
        for taken in old:
            if taken:
                self._put(self._hashes[taken - 1], taken - 1)


class Cases(Sequence[Case]):
    """Cases in order, each found by its position and by its id.

    Iterating reads one case at a time, as often as wanted. `lines` are those of the file that the
    cases come from, from 1; 0 for a case that has none.
    """

    __slots__ = ("_held", "_index", "_lines", "_positions", "_sizes", "_starts", "_texts")

    def __init__(
        self, texts: Texts, starts: "array[int]", sizes: "array[int]", lines: "array[int]"
    ) -> None:
        """The cases whose texts stand there; `starts` are unsigned 64 bits, the others 32."""
        self._texts = texts
        self._starts = starts
        self._sizes = sizes
        self._lines = lines
        self._held: dict[int, Case] | None = {} if len(starts) <= _HELD else None
        self._index: IdIndex | None = None
        self._positions: dict[str, int] | None = None  # of cases that are held

    @classmethod
    def of(cls, cases: Iterable[Case], lines: Mapping[str, int] | None = None) -> "Cases":
        """Cases that are at hand, with the lines of those that have one."""
        if isinstance(cases, Cases) and lines is None:
            return cases
        building = CasesBuilder(MemoryTexts())
        for case in cases:
            building.add(_ENCODER.encode(case), line=(lines or {}).get(case.id, 0))
        return building.result()

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> Case: ...
    @overload
    def __getitem__(self, at: slice) -> "Cases": ...
    def __getitem__(self, at: int | slice) -> "Case | Cases":
        if isinstance(at, slice):
            return self.select(range(*at.indices(len(self))))
        position = at + len(self) if at < 0 else at
        if self._held is None:
            return _DECODER.decode(self.text(position))
        case = self._held.get(position)
        if case is None:
            case = self._held[position] = _DECODER.decode(self.text(position))
        return case

    def __iter__(self) -> Iterator[Case]:
        for position in range(len(self)):
            yield self[position]

    def __contains__(self, case: object) -> bool:
        return isinstance(case, Case) and self.find(case.id) == case

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none either

    def __repr__(self) -> str:
        return f"<{len(self):,} cases>"

    def text(self, position: int) -> bytes:
        """The case at a position as one line of JSON. Raises IndexError."""
        return self._texts.read(self._starts[position], self._sizes[position])

    def id_at(self, position: int) -> str:
        """The id of the case at a position, for less than the case. Raises IndexError."""
        if self._held is not None:
            return self[position].id
        return _NAMES.decode(self.text(position)).id

    def ids(self) -> Iterator[str]:
        """The id of every case in order."""
        return map(self.id_at, range(len(self)))

    def position(self, id_: str) -> int | None:
        """Where the case of that id stands, the first one; None where there is none."""
        if self._held is None:
            return self._indexed().find(id_)
        if self._positions is None:
            # backwards, so that the first one of an id is what remains
            self._positions = {self.id_at(at): at for at in reversed(range(len(self)))}
        return self._positions.get(id_)

    def _indexed(self) -> IdIndex:
        if self._index is None:
            self._index = IdIndex(self.id_at)
            for each in self.ids():
                self._index.add(each)
        return self._index

    @property
    def repeated(self) -> str | None:
        """An id that more than one case has; None where each has its own."""
        position = self._indexed().repeated
        return None if position is None else self.id_at(position)

    def has(self, id_: str) -> bool:
        """Whether there is a case of that id."""
        return self.position(id_) is not None

    def find(self, id_: str) -> Case | None:
        """The case of that id, if there is one."""
        position = self.position(id_)
        return None if position is None else self[position]

    def by_id(self, id_: str) -> Case:
        """The case of that id. Raises KeyError."""
        position = self.position(id_)
        if position is None:
            raise KeyError(id_)
        return self[position]

    def line_at(self, position: int) -> int | None:
        """The line of the case at a position, in the file that it comes from."""
        return self._lines[position] or None

    def line_of(self, id_: str) -> int | None:
        """The line of the case of that id, if there is one and it has one."""
        position = self.position(id_)
        return None if position is None else self.line_at(position)

    @property
    def groups(self) -> int:
        """How many there are where the cases of one group count once."""
        singles, groups = 0, set()
        for case in self:
            if case.group is None:
                singles += 1
            else:
                groups.add(case.group)
        return singles + len(groups)

    def select(self, positions: Iterable[int]) -> "Cases":
        """The cases at these positions, in the order given; their texts are shared."""
        chosen = array("I", positions)
        return Cases(
            self._texts,
            array("Q", map(self._starts.__getitem__, chosen)),
            array("I", map(self._sizes.__getitem__, chosen)),
            array("I", map(self._lines.__getitem__, chosen)),
        )

    def where(self, wanted: Callable[[Case], bool]) -> "Cases":
        """The cases that are wanted, in order."""
        positions = array("I", (at for at, case in enumerate(self) if wanted(case)))
        return self if len(positions) == len(self) else self.select(positions)

    def map(self, change: Callable[[Case], Case]) -> "Cases":
        """Every case changed by `change`, which keeps its id. Only what differs takes room."""
        starts, sizes = self._starts, self._sizes
        changed: dict[int, Case] = {}
        for position, case in enumerate(self):
            after = change(case)
            if after == case:
                continue
            if starts is self._starts:
                starts, sizes = self._starts[:], self._sizes[:]
            text = _ENCODER.encode(after)
            starts[position], sizes[position] = self._texts.add(text), len(text)
            if self._held is not None:
                changed[position] = after
        if starts is self._starts:
            return self
        made = Cases(self._texts, starts, sizes, self._lines)
        made._index = self._index
        if made._held is not None and self._held is not None:
            made._held.update(self._held | changed)
        return made

    def with_lines(self, lines: "array[int]") -> "Cases":
        """The same cases with these lines, one each (0 for none)."""
        if len(lines) != len(self):
            raise ValueError(f"{len(lines)} lines for {len(self)} cases")
        made = Cases(self._texts, self._starts, self._sizes, lines)
        made._index = self._index
        return made

    def line_runs(self) -> list[tuple[int, int]]:
        """The lines as runs, (the first one, how many follow each other from there), in order."""
        runs: list[tuple[int, int]] = []
        first, many = 0, 0
        for line in self._lines:
            if many and line == (first + many if first else 0):
                many += 1
                continue
            if many:
                runs.append((first, many))
            first, many = line, 1
        if many:
            runs.append((first, many))
        return runs


class CasesBuilder:
    """Cases that come one after the other."""

    __slots__ = ("_index", "_lines", "_sizes", "_starts", "_texts")

    def __init__(self, texts: Texts) -> None:
        """No case yet; their texts are kept in `texts`."""
        self._texts = texts
        self._starts = array("Q")
        self._sizes = array("I")
        self._lines = array("I")
        self._index = IdIndex(self._id_at)

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, text: bytes, *, line: int = 0) -> None:
        """The next case, by its JSON, which nobody has to have read for it."""
        self._starts.append(self._texts.add(text))
        self._sizes.append(len(text))
        self._lines.append(line)

    def add_new(self, id_: str, text: bytes, *, line: int = 0) -> int | None:
        """The next case; the position of the one that had its id before, if one had."""
        first = self._index.add(id_)
        self.add(text, line=line)
        return first

    def line_at(self, position: int) -> int:
        """The line that was given with the case at a position."""
        return self._lines[position]

    def result(self) -> Cases:
        """All cases so far."""
        made = Cases(self._texts, self._starts, self._sizes, self._lines)
        if self._index.count == len(made):
            made._index = self._index
        return made

    def _id_at(self, position: int) -> str:
        return _NAMES.decode(self._texts.read(self._starts[position], self._sizes[position])).id
