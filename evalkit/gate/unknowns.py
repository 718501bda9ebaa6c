"""Attempts without a result: how many there are, and when two bounds agree.

Nothing that went wrong may shrink the sample or turn a verdict green. Above the allowed share the
suite is incomplete; below it the outcome has to be the same with all unknown attempts counted for
the candidate and all counted against it.
"""

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from evalkit.gate.cases import CaseResult, TrialResult
from evalkit.records.verdict import Outcome

_NONE, _ALL = Fraction(0), Fraction(1)


class UnknownCount(msgspec.Struct, frozen=True):
    """`cases` with any unknown attempt, `attempts` of all arms, and of the candidate's alone.

    `share` is the mean over cases of the largest of its arms' unknown shares: with one run an
    arm, the share of pairs that cannot be compared. A long banked baseline cannot dilute it.
    """

    cases: int
    attempts: int
    candidate_attempts: int
    share: Fraction


def count_unknown(
    cases: Sequence[CaseResult], *, has_baseline: bool, has_anchor: bool = False
) -> UnknownCount:
    """Count what has no result; an arm that the suite does not have is left out."""
    affected = attempts = candidate_attempts = 0
    total = Fraction(0)
    for case in cases:
        lost, share = _lost(case.candidate)
        candidate_attempts += lost
        if has_baseline:
            lost_baseline, share_baseline = _lost(case.baseline)
            lost += lost_baseline
            share = max(share, share_baseline)
        if has_anchor:
            lost_anchor, share_anchor = _lost(case.anchor)
            lost += lost_anchor
            share = max(share, share_anchor)
        if lost:
            attempts += lost
            affected += 1
            total += share
    share = total / len(cases) if cases else Fraction(0)
    return UnknownCount(affected, attempts, candidate_attempts, share)


def reconcile(best: Outcome, worst: Outcome) -> Outcome:
    """The outcome when the bounds say `best` and `worst`: theirs if they agree."""
    return best if best is worst else Outcome.INCONCLUSIVE


def _lost(arm: Sequence[TrialResult]) -> tuple[int, Fraction]:
    if not arm:
        return 1, _ALL
    lost = sum([trial.passed is None for trial in arm])
    return lost, Fraction(lost, len(arm)) if lost else _NONE
