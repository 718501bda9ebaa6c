"""One side of a suite: its results by case; its attempts and scores are looked up."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from evalkit.records.attempt import Attempt, FailureMode, lent_to
from evalkit.records.call import Origin
from evalkit.records.case import Case
from evalkit.records.lookup import FindsAttempts, FindsScores, find_attempts, find_scores
from evalkit.records.outcomes import FoundByPlace
from evalkit.records.run import StoredRun, SuiteRecord, SuiteSnapshot, VariantRecord
from evalkit.records.score import Score

Passes = FoundByPlace[bool]
Modes = FoundByPlace[FailureMode]
Results = tuple[bool | None, ...]
ORIGINS: tuple[Origin, ...] = ("live", "cache", "recording", "scripted")

_UNKNOWN, _FAILED, _PASSED = range(3)
_MADE = 4
_RESULTS = (None, False, True)


class Arm:
    """What `variant` of a suite did in one run; cases are meant by their position in the snapshot.

    Each has one result a planned trial, None for one that was never made or has no result. Trials
    that earlier runs lent come after those.
    """

    def __init__(
        self,
        run: StoredRun,
        snapshot: SuiteSnapshot,
        variant: str,
        passes: Passes,
        modes: Modes | None = None,
        *,
        shared: tuple[FindsAttempts, FindsScores],
    ) -> None:
        """Reads the run's attempts once; `passes` says whether each passed, `modes` why not."""
        self.snapshot = snapshot
        self.variant = variant
        self.record: SuiteRecord | None = next(
            (each for each in run.record.suites if each.suite == snapshot.suite), None
        )
        stored = snapshot.baseline_trials if variant == "baseline" else None
        self.trials = snapshot.trials if stored is None else stored
        self.cases = snapshot.cases
        self._attempts, self._scores = shared
        self._run = run
        self._passes = passes
        self._modes = modes
        self._own = bytearray(len(self.cases) * self.trials)
        self._lent: dict[int, tuple[int, ...]] = {}
        # by the states of its trials, of which there are few kinds
        self._known: dict[bytes, Results] = {}
        self._read()

    def _read(self) -> None:
        lent: set[int] = set()
        for attempt, position in self._mine():
            if 1 <= attempt.trial <= self.trials:
                state = _state(self._passes.get(attempt.place))
                self._own[position * self.trials + attempt.trial - 1] = _MADE | state
            if attempt.pooled_from is not None:
                lent.add(position)
        for position in lent:
            made = self._attempts.of_case(self.suite, self.variant, self.case(position).id)
            trials = tuple(each.trial for each in lent_to(made.values(), self.trials))
            if trials:
                self._lent[position] = trials

    def _mine(self) -> Iterator[tuple[Attempt, int]]:
        """Its attempts, with the positions of their cases."""
        suite, variant, find = self.suite, self.variant, self.cases.position
        for attempt in self._run.attempts:
            if attempt.suite == suite and attempt.variant == variant:
                position = find(attempt.case)
                if position is not None:
                    yield attempt, position

    @property
    def suite(self) -> str:
        """The suite's name."""
        return self.snapshot.suite

    def case(self, position: int) -> Case:
        """The case there."""
        return self.cases[position]

    def results(self, position: int) -> Results:
        """Whether each trial of a case passed."""
        start = position * self.trials
        states = bytes(self._own[start : start + self.trials])
        lent = self._lent.get(position)
        if lent:
            case = self.case(position).id
            places = ((self.suite, self.variant, case, trial) for trial in lent)
            states += bytes(_state(self._passes.get(place)) for place in places)
        found = self._known.get(states)
        if found is None:
            found = self._known[states] = tuple([_RESULTS[state & ~_MADE] for state in states])
        return found

    def numbers(self, position: int) -> tuple[int, ...]:
        """The trials that the results of a case are of."""
        return (*range(1, self.trials + 1), *self._lent.get(position, ()))

    def was_attempted(self, position: int) -> bool:
        """Whether a trial of the case was made."""
        start = position * self.trials
        return any(self._own[start : start + self.trials]) or position in self._lent

    def attempt(self, case: str, trial: int) -> Attempt | None:
        """The attempt, if it was made."""
        return self._attempts.at((self.suite, self.variant, case, trial))

    def scores(self, case: str, trial: int) -> Sequence[Score]:
        """The scores of an attempt."""
        return self._scores.of((self.suite, self.variant, case, trial))

    def all_scores(self) -> Iterator[tuple[Score, int]]:
        """The scores of every planned trial that was made, with the positions of their cases."""
        suite, variant, find = self.suite, self.variant, self.cases.position
        for score in self._run.scores:
            if score.suite != suite or score.variant != variant:
                continue
            position = find(score.case)
            if position is not None and 1 <= score.trial <= self.trials:
                yield score, position

    def made(self, among: Callable[[int], bool]) -> Iterator[Attempt]:
        """The attempts of planned trials at the cases that are `among` them by position."""
        for attempt, position in self._mine():
            if 1 <= attempt.trial <= self.trials and among(position):
                yield attempt

    def failure_mode(self, attempt: Attempt) -> FailureMode | None:
        """Why the attempt did not pass; how it ended, where nobody looked at its scores."""
        return attempt.failure_mode if self._modes is None else self._modes.get(attempt.place)

    @property
    def variant_record(self) -> VariantRecord | None:
        """What the run says about where this side came from."""
        return None if self.record is None else self.record.variant(self.variant)

    def decides_apart(self, scorer: str) -> bool:
        """Whether it is a judge whose part of the verdict is required."""
        return scorer in judges_apart(self.snapshot)

    def place(self, case: str) -> str | None:
        """`file:line` of the case in its golden set, or the file alone."""
        path = self.snapshot.golden_path
        line = self.snapshot.cases.line_of(case)
        return f"{path}:{line}" if path and line is not None else path or None


class Arms:
    """The arms of a run, each read once for all that ask for it."""

    def __init__(self, run: StoredRun, passes: Passes, modes: Modes | None = None) -> None:
        """`passes` says of each place whether its attempt passed (None: no result), `modes` why it
        did not."""
        self._run = run
        self._passes = passes
        self._modes = modes
        self._shared = find_attempts(run.attempts), find_scores(run.scores)
        self._known: dict[tuple[str, str], Arm] = {}

    def candidate(self, snapshot: SuiteSnapshot) -> Arm:
        """The candidate of a suite."""
        return self._of(snapshot, "candidate")

    def baseline(self, snapshot: SuiteSnapshot) -> Arm | None:
        """The baseline of a suite, if it has one."""
        return self._of(snapshot, "baseline") if snapshot.has_baseline else None

    def _of(self, snapshot: SuiteSnapshot, variant: str) -> Arm:
        asked = snapshot.suite, variant
        if asked not in self._known:
            self._known[asked] = Arm(
                self._run, snapshot, variant, self._passes, self._modes, shared=self._shared
            )
        return self._known[asked]


def _state(passed: bool | None) -> int:
    return _UNKNOWN if passed is None else _PASSED if passed else _FAILED


def judges_apart(snapshot: SuiteSnapshot) -> frozenset[str]:
    """The judge scorers that decide a part of the verdict of their own."""
    return frozenset(
        judge.scorer
        for judge in snapshot.judges
        if judge.gate
        and (judge.floor is not None or (judge.margin_pp is not None and snapshot.has_baseline))
    )


def in_order_of_origins(counts: Counter[str]) -> dict[str, int]:
    """How many attempts each origin answered; those that never reached one are not counted."""
    return {origin: counts[origin] for origin in ORIGINS if counts[origin]}
