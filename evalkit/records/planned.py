"""The attempts of a plan in little room: what most of them share is kept once.

A million attempts as objects are half a gigabyte. Here one takes the four bytes of its place in the
order and what it has of its own, mostly its count of input tokens and its cost: 16 bytes together.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, overload

from evalkit.records.call import Origin
from evalkit.records.cases import Cases
from evalkit.records.plan import PlannedAttempt


class Shared(NamedTuple):
    """What attempts share. `half_output_usd` is what half of the output cap costs: an attempt is
    expected to cost so much less than at most."""

    model: str
    origin: Origin | None
    output_tokens: int
    half_output_usd: float
    priced: bool
    max_calls: int
    parts: tuple[str, ...]


class Column:
    """Numbers in order; as long as they are all the same, only one is kept."""

    __slots__ = ("_count", "_first", "_kinds", "_rest")

    def __init__(self, kinds: str, *, zeros: int = 0) -> None:
        """`kinds` are the type codes of arrays that hold them, the next where one is too small."""
        self._kinds = kinds
        self._first: float = 0
        self._count = zeros
        self._rest: array[float] | None = None

    def append(self, value: float) -> None:
        """The next number. Raises OverflowError for one that no kind can hold."""
        if self._rest is None:
            if not self._count:
                self._first = value
            if value == self._first:
                self._count += 1
                return
            self._rest = array(self._kinds[0])
            self._put(self._first)
            self._rest *= self._count
        self._put(value)

    def _put(self, value: float) -> None:
        assert self._rest is not None
        try:
            self._rest.append(value)
        except OverflowError:
            self._kinds = self._kinds[1:]
            if not self._kinds:
                raise
            self._rest = array(self._kinds[0], self._rest)
            self._put(value)

    def __getitem__(self, at: int) -> float:
        return self._first if self._rest is None else self._rest[at]


class SuiteAttempts(Sequence[PlannedAttempt]):
    """The attempts of one suite in the order they are started.

    `order` are the positions of its cases: all of them in the first trial before the second begins,
    the variants of a case side by side, every second pair turned round.
    """

    def __init__(
        self,
        suite: str,
        variants: tuple[str, ...],
        cases: Cases,
        order: "array[int]",
        trials: range,
    ) -> None:
        """Nothing is known of any attempt yet: `add` tells it, in order."""
        self.suite = suite
        self._variants = variants, tuple(reversed(variants))
        self._cases = cases
        self._order = order
        self._trials = trials
        self._shared: dict[Shared, int] = {}
        self._kinds: list[Shared] = []
        self._kind = Column("BIQ")
        self._tokens: dict[str, Column] = {}
        self._max_usd = Column("d")
        self._made = 0
        self.missing: dict[int, str] = {}
        self.refused: dict[int, str] = {}

    def places(self) -> Iterator[tuple[str, int, int]]:
        """Variant, position of the case and trial of every attempt, in order."""
        pair = 0
        for trial in self._trials:
            for position in self._order:
                for variant in self._variants[pair % 2]:
                    yield variant, position, trial
                pair += 1

    def add(
        self,
        shared: Shared,
        *,
        tokens: dict[str, int],
        max_usd: float = 0.0,
        missing: str | None = None,
        refused: str | None = None,
    ) -> None:
        """What is known of the next attempt; `tokens` are those of `shared.parts`."""
        kind = self._shared.setdefault(shared, len(self._kinds))
        if kind == len(self._kinds):
            self._kinds.append(shared)
        self._kind.append(kind)
        for part in tokens:
            if part not in self._tokens:
                self._tokens[part] = Column("IQ", zeros=self._made)
        for part, column in self._tokens.items():
            column.append(tokens.get(part, 0))
        self._max_usd.append(max_usd)
        if missing is not None:
            self.missing[self._made] = missing
        if refused is not None:
            self.refused[self._made] = refused
        self._made += 1

    def __len__(self) -> int:
        return self._made

    @overload
    def __getitem__(self, at: int) -> PlannedAttempt: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[PlannedAttempt]: ...
    def __getitem__(self, at: int | slice) -> "PlannedAttempt | Sequence[PlannedAttempt]":
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        pair, turn = divmod(at % len(self), len(self._variants[0]))
        trial, place = divmod(pair, len(self._order))
        variant = self._variants[pair % 2][turn]
        return self._made_of(at % len(self), variant, self._order[place], self._trials[trial])

    def __iter__(self) -> Iterator[PlannedAttempt]:
        for at, place in zip(range(len(self)), self.places(), strict=False):
            yield self._made_of(at, *place)

    def _made_of(self, at: int, variant: str, position: int, trial: int) -> PlannedAttempt:
        shared = self._kinds[int(self._kind[at])]
        most = self._max_usd[at] if shared.priced else None
        return PlannedAttempt(
            suite=self.suite,
            variant=variant,
            case=self._cases.id_at(position),
            trial=trial,
            model=shared.model,
            origin=shared.origin,
            input_tokens={part: int(self._tokens[part][at]) for part in shared.parts},
            output_tokens=shared.output_tokens,
            max_cost_usd=most,
            expected_cost_usd=None if most is None else most - shared.half_output_usd,
            missing=self.missing.get(at),
            refused=self.refused.get(at),
            max_calls=shared.max_calls,
        )

    @property
    def origins(self) -> frozenset[Origin | None]:
        """Where replies come from, all attempts together."""
        return frozenset(shared.origin for shared in self._kinds)


class Attempts(Sequence[PlannedAttempt]):
    """The attempts of a plan, suite after suite, made into objects when they are looked at.

    With `chosen` only those at these places are.
    """

    def __init__(self, suites: Sequence[SuiteAttempts], chosen: "array[int] | None" = None) -> None:
        """`chosen` counts through all suites, in order."""
        self._suites = tuple(suites)
        self._chosen = chosen

    def __len__(self) -> int:
        return sum(map(len, self._suites)) if self._chosen is None else len(self._chosen)

    @overload
    def __getitem__(self, at: int) -> PlannedAttempt: ...
    @overload
    def __getitem__(self, at: slice) -> "Attempts": ...
    def __getitem__(self, at: int | slice) -> "PlannedAttempt | Attempts":
        if isinstance(at, slice):
            return self.select(range(*at.indices(len(self))))
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        at %= len(self)
        if self._chosen is not None:
            at = self._chosen[at]
        for suite in self._suites:
            if at < len(suite):
                return suite[at]
            at -= len(suite)
        raise IndexError(at)

    def __iter__(self) -> Iterator[PlannedAttempt]:
        if self._chosen is None:
            for suite in self._suites:
                yield from suite
        else:
            yield from map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none either

    def __repr__(self) -> str:
        return f"<{len(self):,} attempts>"

    def select(self, places: Iterable[int]) -> "Attempts":
        """The attempts at these places, in the order given."""
        if self._chosen is None:
            return Attempts(self._suites, array("Q", places))
        return Attempts(self._suites, array("Q", map(self._chosen.__getitem__, places)))

    def where(self, wanted: Callable[[PlannedAttempt], bool]) -> "Attempts":
        """The attempts that are wanted, in order."""
        return self.select(at for at, each in enumerate(self) if wanted(each))

    def lacking(self) -> list[PlannedAttempt]:
        """Those whose reply should be replayed and is not there."""
        if self._chosen is not None:
            return [each for each in self if each.missing is not None]
        return [suite[at] for suite in self._suites for at in suite.missing]

    def origins(self, suite: str) -> set[Origin | None]:
        """Where the replies of a suite come from."""
        if self._chosen is not None:
            return {each.origin for each in self if each.suite == suite}
        return {origin for s in self._suites if s.suite == suite for origin in s.origins}


def lacking(attempts: Sequence[PlannedAttempt]) -> list[PlannedAttempt]:
    """Those whose reply should be replayed and is not there."""
    if isinstance(attempts, Attempts):
        return attempts.lacking()
    return [each for each in attempts if each.missing is not None]


def origins_of(attempts: Sequence[PlannedAttempt], suite: str) -> set[Origin | None]:
    """Where the replies of a suite come from."""
    if isinstance(attempts, Attempts):
        return attempts.origins(suite)
    return {each.origin for each in attempts if each.suite == suite}


def select_attempts(
    attempts: Sequence[PlannedAttempt], wanted: Callable[[PlannedAttempt], bool]
) -> Sequence[PlannedAttempt]:
    """Those that are wanted, in order."""
    if isinstance(attempts, Attempts):
        return attempts.where(wanted)
    return tuple(filter(wanted, attempts))
