"""Changes of a suite, described when they are looked at: there may be a million of them."""

from array import array
from collections.abc import Callable, Sequence
from typing import overload

from evalkit.records.comparison import KINDS, CaseChange, ChangeKind

_HELD = 2_000


class ChangeList(Sequence[CaseChange]):
    """Rows of a comparison, each with the kind of its change, in the order in which they are shown.

    `describe(row, kind)` makes the change of a row, `attempted(row)` tells whether a side was asked
    about its case. The first that are made are kept.
    """

    def __init__(
        self,
        rows: "array[int]",
        kinds: bytes,
        *,
        describe: Callable[[int, ChangeKind], CaseChange],
        attempted: Callable[[int], bool],
        held: dict[int, CaseChange] | None = None,
    ) -> None:
        """`kinds` are numbers of KINDS, one a row."""
        self._rows = rows
        self._kinds = kinds
        self._describe = describe
        self._attempted = attempted
        self._held = {} if held is None else held

    @property
    def rows(self) -> Sequence[int]:
        """The rows of the comparison that changed."""
        return self._rows

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> CaseChange: ...
    @overload
    def __getitem__(self, at: slice) -> "ChangeList": ...
    def __getitem__(self, at: int | slice) -> "CaseChange | ChangeList":
        """One change, or the list of several."""
        if isinstance(at, slice):
            return self._part(self._rows[at], self._kinds[at])
        row = self._rows[at]
        change = self._held.get(row)
        if change is None:
            change = self._describe(row, KINDS[self._kinds[at]])
            if len(self._held) < _HELD:
                self._held[row] = change
        return change

    def __eq__(self, other: object) -> bool:
        """Whether it holds the same changes in the same order."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def of_kind(self, *kinds: ChangeKind) -> "ChangeList":
        """The changes of these kinds, in order."""
        wanted = {KINDS.index(kind) for kind in kinds}
        return self._chosen([n for n, kind in enumerate(self._kinds) if kind in wanted])

    def _chosen(self, at: Sequence[int]) -> "ChangeList":
        rows = array(self._rows.typecode, (self._rows[number] for number in at))
        return self._part(rows, bytes(self._kinds[number] for number in at))

    def attempted_first(self) -> "ChangeList":
        """The same changes, those first about which a side was asked."""
        asked = [self._attempted(row) for row in self._rows]
        at = [number for number, was in enumerate(asked) if was]
        at += [number for number, was in enumerate(asked) if not was]
        return self._chosen(at)

    @property
    def never_attempted(self) -> int:
        """How many of them no side was asked about."""
        return sum(not self._attempted(row) for row in self._rows)

    def _part(self, rows: "array[int]", kinds: bytes) -> "ChangeList":
        return ChangeList(
            rows, kinds, describe=self._describe, attempted=self._attempted, held=self._held
        )
