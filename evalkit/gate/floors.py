"""Floors: the candidate's measured pass rate against what is required of it.

A floor is a requirement on the rate that was measured, compared exactly; no statistics soften it.
The Wilson interval is shown so that a reader sees how firmly the rate is known.
"""

from collections.abc import Sequence
from fractions import Fraction

from evalkit.gate.cases import CaseResult
from evalkit.gate.samples import ArmTally, tally_arm
from evalkit.gate.unknowns import reconcile
from evalkit.gate.wording import count, percent, quantity
from evalkit.records.verdict import Outcome, PartKind, PartVerdict
from evalkit.statistics.proportions import wilson


def decide_floor(
    name: str,
    kind: PartKind,
    where: str,
    cases: Sequence[CaseResult],
    floor: Fraction,
    alpha: float,
    *,
    required: bool = True,
    owner: str | None = None,
) -> PartVerdict:
    """PASS when the rate reaches `floor` (a fraction) even with every unknown attempt failed.

    FAIL when it would not even with every unknown attempt passed; INCONCLUSIVE between, and
    NOT_MEASURED without cases.
    """
    return decide_arm_floor(
        name,
        kind,
        where,
        tally_arm(case.candidate for case in cases),
        floor,
        alpha,
        required=required,
        owner=owner,
    )


def decide_arm_floor(
    name: str,
    kind: PartKind,
    where: str,
    arm: ArmTally,
    floor: Fraction,
    alpha: float,
    *,
    required: bool = True,
    owner: str | None = None,
) -> PartVerdict:
    """The same of cases that are counted already."""
    n = len(arm.runs)
    if n == 0:
        return PartVerdict(
            name=name,
            kind=kind,
            outcome=Outcome.NOT_MEASURED,
            best=Outcome.NOT_MEASURED,
            worst=Outcome.NOT_MEASURED,
            required=required,
            floor=float(floor),
            message=f"{where} has no cases; at least {percent(floor)} of them have to pass.",
            what_would_settle="Cases to measure.",
            owner=owner,
        )
    passes = arm.total(unknown=False)
    worst = _reaches(passes, n, floor)
    best = _reaches(arm.total(unknown=True), n, floor)
    outcome = reconcile(best, worst)
    unknown = sum(arm.unknown)
    low, high = wilson(float(passes), n, alpha)
    lost = f", {count(unknown, 'attempt')} without a result counted as failed" if unknown else ""
    words = {
        Outcome.PASS: "which it reaches",
        Outcome.FAIL: "which it misses",
        Outcome.INCONCLUSIVE: "and the attempts without a result decide whether it does",
    }
    return PartVerdict(
        name=name,
        kind=kind,
        outcome=outcome,
        best=best,
        worst=worst,
        required=required,
        alpha=alpha,
        floor=float(floor),
        candidate_rate=float(passes / n),
        candidate_interval=(low, high),
        message=(
            f"{where} passes {quantity(float(passes))} of {count(n, 'case')}, "
            f"{percent(passes / n)} (interval {percent(low)} to {percent(high)}{lost}); "
            f"{percent(floor)} is required, {words[outcome]}."
        ),
        what_would_settle=f"A result for the {count(unknown, 'attempt')} without one."
        if outcome is Outcome.INCONCLUSIVE
        else None,
        unknown=unknown,
        owner=owner,
    )


def _reaches(passes: Fraction, n: int, floor: Fraction) -> Outcome:
    return Outcome.PASS if passes >= floor * n else Outcome.FAIL
