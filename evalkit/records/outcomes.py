"""What became of every attempt of a run, in a few bytes each: what verdicts and reports rest on.

Attempts and scores of a large run stay in their files. What is asked of all of them stands here, in
arrays: whether it passed, why not, and what it took. The rest is looked up where a case is shown.
"""

import math
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from evalkit.records.attempt import FAILURE_MODES, Attempt, FailureMode, Place, lent_to
from evalkit.records.cases import Cases
from evalkit.records.lookup import FindsAttempts

_MODES = tuple(FAILURE_MODES)
_NUMBERS = {mode: number for number, mode in enumerate(_MODES, start=1)}
# a trial that fewer cases than one in so many have is kept in a dict
_DENSE = 16

T = TypeVar("T")


T_co = TypeVar("T_co", covariant=True)


class FoundByPlace(Protocol[T_co]):
    """Something that is known of attempts, by their place."""

    def get(self, place: Place, /) -> T_co | None:
        """What is known of that attempt."""


class Measured(Protocol):
    """What is kept of an attempt, as the gate takes it; None is what was not measured."""

    @property
    def passed(self) -> bool | None: ...
    @property
    def cost_usd(self) -> float | None: ...
    @property
    def tokens(self) -> float | None: ...
    @property
    def latency_s(self) -> float | None: ...
    @property
    def guardrail(self) -> bool | None: ...
    @property
    def tools_correct(self) -> bool | None: ...
    @property
    def complied(self) -> bool | None: ...
    @property
    def judges_disagree(self) -> bool | None: ...
    @property
    def violations(self) -> tuple[str, ...]: ...


class SuiteOutcomes:
    """The attempts of one suite, found by arm, trial and the position of their case."""

    def __init__(self, suite: str, cases: Cases, attempts: FindsAttempts) -> None:
        """Nothing is known of any attempt yet; trials are looked up in `attempts`."""
        self.suite = suite
        self.cases = cases
        self.attempts = attempts
        self._rows: dict[str, dict[int, Rows]] = {}
        self._passed = array("b")
        self._modes = array("B")
        self._flags = array("B")
        self._cost_usd = array("d")
        self._tokens = array("d")
        self._latency_s = array("d")
        self._violations: dict[int, tuple[str, ...]] = {}
        self._lent: dict[str, bytearray] = {}

    def put(
        self, attempt: Attempt, position: int, result: Measured, mode: FailureMode | None
    ) -> None:
        """Keep what became of an attempt; `mode` is why it did not pass."""
        number = len(self._passed)
        trials = self._rows.setdefault(attempt.variant, {})
        if attempt.trial not in trials:
            trials[attempt.trial] = Rows(len(self.cases))
        trials[attempt.trial].put(position, number)
        if attempt.pooled_from is not None:
            lent = self._lent.setdefault(attempt.variant, bytearray(len(self.cases)))
            lent[position] = True
        self._passed.append(_packed(result.passed))
        self._modes.append(0 if mode is None else _NUMBERS[mode])
        self._cost_usd.append(_amount(result.cost_usd))
        self._tokens.append(_amount(result.tokens))
        self._latency_s.append(_amount(result.latency_s))
        flags = 0
        for value in (
            result.guardrail,
            result.tools_correct,
            result.complied,
            result.judges_disagree,
        ):
            flags = flags << 2 | _packed(value)
        self._flags.append(flags)
        if result.violations:
            self._violations[number] = result.violations

    def row(self, variant: str, trial: int, position: int) -> int | None:
        """The number under which an attempt is kept; None where there is none."""
        rows = self._rows.get(variant, {}).get(trial)
        return None if rows is None else rows.get(position)

    def passed(self, row: int) -> bool | None:
        """Whether it passed; None without a result."""
        return _unpacked(self._passed[row])

    def mode(self, row: int) -> FailureMode | None:
        """Why it did not pass."""
        number = self._modes[row]
        return _MODES[number - 1] if number else None

    def read(self, row: int, make: Callable[..., T]) -> T:
        """What is kept of it, as `make` takes it: by the names of `Measured`."""
        flags = self._flags[row]
        return make(
            passed=_unpacked(self._passed[row]),
            cost_usd=_read(self._cost_usd[row]),
            tokens=_read(self._tokens[row]),
            latency_s=_read(self._latency_s[row]),
            guardrail=_unpacked(flags >> 6),
            tools_correct=_unpacked(flags >> 4 & 3),
            complied=_unpacked(flags >> 2 & 3),
            judges_disagree=_unpacked(flags & 3),
            violations=self._violations.get(row, ()),
        )

    def trials(self, variant: str, case: str, position: int, last: int) -> tuple[int, ...]:
        """A case's trials that count in an arm: the first `last`, then those that were lent."""
        own = tuple(range(1, last + 1))
        lent = self._lent.get(variant)
        if lent is None or not lent[position]:
            return own
        made = self.attempts.of_case(self.suite, variant, case)
        return (*own, *(each.trial for each in lent_to(made.values(), last)))


class Rows:
    """Numbers of 31 bits by position: few of them in a dict, many in an array."""

    __slots__ = ("_many", "_positions", "_some")

    def __init__(self, positions: int) -> None:
        """None yet; positions are less than `positions`."""
        self._positions = positions
        self._some: dict[int, int] = {}
        self._many: array[int] | None = None

    def put(self, position: int, row: int) -> None:
        """Keep the number of a position; one that was there is replaced."""
        if self._many is not None:
            self._many[position] = row
            return
        self._some[position] = row
        if len(self._some) * _DENSE > self._positions:
            self._many = array("i", [-1]) * self._positions
            for at, known in self._some.items():
                self._many[at] = known
            self._some = {}

    def __iter__(self) -> Iterator[int]:
        """The numbers, in the order of their positions."""
        if self._many is None:
            return (self._some[position] for position in sorted(self._some))
        return (row for row in self._many if row >= 0)

    def get(self, position: int) -> int | None:
        """The number of a position; None where it has none."""
        if self._many is None:
            return self._some.get(position)
        row = self._many[position]
        return None if row < 0 else row


def _packed(value: bool | None) -> int:
    return 0 if value is None else 2 if value else 1


def _unpacked(value: int) -> bool | None:
    return None if value == 0 else value == 2


def _amount(value: float | None) -> float:
    if value is None:
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _read(value: float) -> float | None:
    return None if value != value else value


class Outcomes:
    """The attempts of a run, by suite.

    `passes` says of each place whether its attempt passed (None: no result, or none was made),
    `modes` why it did not.
    """

    def __init__(self, suites: Mapping[str, SuiteOutcomes]) -> None:
        """Of these suites."""
        self.suites = suites
        self.passes: FoundByPlace[bool] = _ByPlace(suites, SuiteOutcomes.passed)
        self.modes: FoundByPlace[FailureMode] = _ByPlace(suites, SuiteOutcomes.mode)


class _ByPlace(Generic[T]):
    """Implements FoundByPlace over suites."""

    def __init__(
        self,
        suites: Mapping[str, SuiteOutcomes],
        read: Callable[[SuiteOutcomes, int], T | None],
    ) -> None:
        self._suites = suites
        self._read = read

    def get(self, place: Place, /) -> T | None:
        name, variant, case, trial = place
        suite = self._suites.get(name)
        position = None if suite is None else suite.cases.position(case)
        if suite is None or position is None:
            return None
        row = suite.row(variant, trial, position)
        return None if row is None else self._read(suite, row)
