"""One side of a suite: its attempts, scores and passes, found by case and trial."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.records.attempt import Attempt, FailureMode, Place, lent_to
from evalkit.records.call import Origin
from evalkit.records.case import Case
from evalkit.records.run import StoredRun, SuiteRecord, SuiteSnapshot, VariantRecord
from evalkit.records.score import Score

Passes = Mapping[Place, bool | None]
Modes = Mapping[Place, FailureMode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What `variant` of a suite did in one run.

    `passed` maps a case to one result a planned trial; a trial that was never made is None, like
    one without a result. Trials that earlier runs lent come after those. `numbers` are the trials
    that those results are of.
    """

    snapshot: SuiteSnapshot
    variant: str
    record: SuiteRecord | None
    trials: int
    cases: Mapping[str, Case]
    attempts: Mapping[str, Mapping[int, Attempt]]
    numbers: Mapping[str, tuple[int, ...]]
    passed: Mapping[str, tuple[bool | None, ...]]
    scores: Mapping[tuple[str, int], Sequence[Score]] = field(repr=False)
    modes: Modes | None = field(default=None, repr=False)

    def failure_mode(self, attempt: Attempt) -> FailureMode | None:
        """Why the attempt did not pass; how it ended, where nobody looked at its scores."""
        return attempt.failure_mode if self.modes is None else self.modes.get(attempt.place)

    @property
    def variant_record(self) -> VariantRecord | None:
        """What the run says about where this side came from."""
        return None if self.record is None else self.record.variant(self.variant)

    def attempt(self, case: str, trial: int) -> Attempt | None:
        """The attempt, if it was made."""
        return self.attempts.get(case, {}).get(trial)

    def decides_apart(self, scorer: str) -> bool:
        """Whether it is a judge whose part of the verdict is required."""
        return scorer in judges_apart(self.snapshot)

    def place(self, case: str) -> str | None:
        """`file:line` of the case in its golden set, or the file alone."""
        path = self.snapshot.golden_path
        line = self.snapshot.cases.line_of(case)
        return f"{path}:{line}" if path and line is not None else path or None

    def made(self, cases: Sequence[str]) -> list[Attempt]:
        """The attempts of these cases in the planned trials."""
        return [
            attempt
            for case in cases
            for trial, attempt in self.attempts.get(case, {}).items()
            if 1 <= trial <= self.trials
        ]


def build_arm(
    run: StoredRun,
    snapshot: SuiteSnapshot,
    variant: str,
    passes: Passes,
    modes: Modes | None = None,
) -> Arm:
    """The side of `variant` in `run`; `passes` says of each place whether the attempt passed.

    `modes` says why not, for those that did not.
    """
    suite = snapshot.suite
    trials = snapshot.trials
    if variant == "baseline" and snapshot.baseline_trials is not None:
        trials = snapshot.baseline_trials
    attempts: defaultdict[str, dict[int, Attempt]] = defaultdict(dict)
    for attempt in run.attempts:
        if attempt.suite == suite and attempt.variant == variant:
            attempts[attempt.case][attempt.trial] = attempt
    scores: defaultdict[tuple[str, int], list[Score]] = defaultdict(list)
    for score in run.scores:
        if score.suite == suite and score.variant == variant:
            scores[score.case, score.trial].append(score)
    own = tuple(range(1, trials + 1))
    numbers = {
        case.id: (*own, *(each.trial for each in lent_to(attempts[case.id].values(), trials)))
        for case in snapshot.cases
    }
    return Arm(
        snapshot=snapshot,
        variant=variant,
        record=next((each for each in run.record.suites if each.suite == suite), None),
        trials=trials,
        cases={case.id: case for case in snapshot.cases},
        attempts=attempts,
        numbers=numbers,
        passed={
            case: tuple(
                passes.get((suite, variant, case, trial)) if trial in attempts[case] else None
                for trial in trials_of
            )
            for case, trials_of in numbers.items()
        },
        scores=scores,
        modes=modes,
    )


def judges_apart(snapshot: SuiteSnapshot) -> frozenset[str]:
    """The judge scorers that decide a part of the verdict of their own."""
    return frozenset(
        judge.scorer
        for judge in snapshot.judges
        if judge.gate
        and (judge.floor is not None or (judge.margin_pp is not None and snapshot.has_baseline))
    )


ORIGINS: tuple[Origin, ...] = ("live", "cache", "recording", "scripted")


def count_origins(attempts: Sequence[Attempt]) -> dict[str, int]:
    """How many attempts each origin answered; those that never reached one are not counted."""
    counts: dict[str, int] = dict.fromkeys(ORIGINS, 0)
    for attempt in attempts:
        if attempt.origin is not None:
            counts[attempt.origin] += 1
    return {origin: number for origin, number in counts.items() if number}
