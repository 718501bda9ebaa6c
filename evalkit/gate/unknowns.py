"""Attempts without a result: how many there are, and when two bounds agree.

Nothing that went wrong may shrink the sample or turn a verdict green. Above the allowed share the
suite is incomplete; below it the outcome has to be the same with all unknown attempts counted for
the candidate and all counted against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from evalkit.gate.cases import CaseResult, TrialResult, attempts_of
from evalkit.records.verdict import Outcome


@dataclass(frozen=True, slots=True)
class UnknownCount:
    """`cases` with any unknown attempt, `attempts` of the candidate and of both arms together.

    `share` is the mean over cases of the larger of its two arms' unknown shares: with one run an
    arm, the share of pairs that cannot be compared. A long banked baseline cannot dilute it.
    """

    cases: int
    attempts: int
    candidate_attempts: int
    share: Fraction


def count_unknown(cases: Sequence[CaseResult], *, has_baseline: bool) -> UnknownCount:
    """Count what has no result; the baseline is left out where there is none."""
    affected = attempts = candidate_attempts = 0
    total = Fraction(0)
    for case in cases:
        lost, share = _lost(case.candidate)
        candidate_attempts += lost
        if has_baseline:
            lost_baseline, share_baseline = _lost(case.baseline)
            lost += lost_baseline
            share = max(share, share_baseline)
        attempts += lost
        affected += lost > 0
        total += share
    share = total / len(cases) if cases else Fraction(0)
    return UnknownCount(affected, attempts, candidate_attempts, share)


def reconcile(best: Outcome, worst: Outcome) -> Outcome:
    """The outcome when the bounds say `best` and `worst`: theirs if they agree."""
    return best if best is worst else Outcome.INCONCLUSIVE


def _lost(arm: Sequence[TrialResult]) -> tuple[int, Fraction]:
    trials = attempts_of(arm)
    lost = sum(trial.passed is None for trial in trials)
    return lost, Fraction(lost, len(trials))
