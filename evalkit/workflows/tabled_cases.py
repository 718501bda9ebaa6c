"""The cases of a suite as the gate takes them, made from outcomes as they are read."""

from collections.abc import Iterator, Sequence
from typing import overload

from evalkit.gate import CaseResult, DistinctCases, TrialResult
from evalkit.gate.cases import UNKNOWN
from evalkit.records.case import Case
from evalkit.records.outcomes import SuiteOutcomes
from evalkit.records.run import SuiteSnapshot

HELD_CASES = 5_000
"""So many cases are kept as they were made; of more each reading makes them again."""


class TabledCases(DistinctCases):
    """Every case in every arm after `trials` trials, with what other runs lent.

    Raises ValueError where the suite has a case twice.
    """

    def __init__(self, snapshot: SuiteSnapshot, outcomes: SuiteOutcomes, trials: int) -> None:
        """Nothing is read yet."""
        repeated = snapshot.cases.repeated
        if repeated is not None:
            raise ValueError(f"suite {snapshot.suite}: case {repeated!r} is given more than once")
        self._snapshot = snapshot
        self._outcomes = outcomes
        self._arms: list[tuple[str, int]] = [("candidate", trials)]
        stored = {"baseline": snapshot.baseline_trials, "anchor": snapshot.anchor_trials}
        for name, there in (("baseline", snapshot.has_baseline), ("anchor", snapshot.anchor)):
            if there:
                last = stored[name]
                self._arms.append((name, trials if last is None else last))
        self._held: list[CaseResult] | None = None

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self._snapshot.cases)

    def __iter__(self) -> Iterator[CaseResult]:
        """The cases in the order of the golden set."""
        if self._held is not None:
            return iter(self._held)
        made = (self._case(at, case) for at, case in enumerate(self._snapshot.cases))
        if len(self) > HELD_CASES:
            return made
        self._held = list(made)
        return iter(self._held)

    @overload
    def __getitem__(self, at: int) -> CaseResult: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[CaseResult]: ...
    def __getitem__(self, at: int | slice) -> CaseResult | Sequence[CaseResult]:
        """One case, or several."""
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        position = range(len(self))[at]
        return self._case(position, self._snapshot.cases[position])

    def _case(self, position: int, case: Case) -> CaseResult:
        arms = {name: self._arm(name, case, position, last) for name, last in self._arms}
        return CaseResult(case=case.id, group=case.group, tags=case.tags, **arms)

    def _arm(self, name: str, case: Case, position: int, last: int) -> tuple[TrialResult, ...]:
        outcomes = self._outcomes
        return tuple(
            [
                UNKNOWN
                if (row := outcomes.row(name, trial, position)) is None
                else outcomes.read(row, TrialResult)
                for trial in outcomes.trials(name, case.id, position, last)
            ]
        )
