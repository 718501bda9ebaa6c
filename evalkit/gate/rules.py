"""The decision about a drop: PASS, FAIL, or INCONCLUSIVE.

PASS says that a drop past the margin is ruled out; FAIL that there is a drop and that it reaches
the margin. Both need as many groups as could ever pass. The simple rule FAILs on the measured drop
alone, at any size, for those who want that sentence.
"""

from array import array
from fractions import Fraction

import msgspec

from evalkit.gate.intervals import DropInterval, drop_interval
from evalkit.gate.power import minimum_cases
from evalkit.gate.samples import PairedSample
from evalkit.gate.settings import Rule
from evalkit.records.verdict import Outcome
from evalkit.statistics.distributions import normal_quantile


class DropDecision(msgspec.Struct, frozen=True):
    """An outcome and what it rests on.

    `drop` is exact. `flips` is the share of flipped cases that would give an interval as wide as
    this one, the d of the power formulas. `minimum` is the number of groups below which nothing
    can be concluded.
    """

    outcome: Outcome
    drop: Fraction
    interval: DropInterval
    flips: float
    minimum: int


def decide_drop(sample: PairedSample, margin: Fraction, alpha: float, rule: Rule) -> DropDecision:
    """Decide whether the candidate dropped by `margin` (a fraction) or more.

    Raises ValueError for a margin outside (0, 1) or alpha outside (0, 0.5).
    """
    scale = sample.scale
    interval = drop_interval(
        array("d", (difference / scale for difference in sample.differences)),
        sample.groups,
        alpha,
        one_run=sample.one_run,
    )
    drop = sample.drop
    return DropDecision(
        outcome=judge_drop(drop, interval, margin, alpha, rule),
        drop=drop,
        interval=interval,
        flips=_flips(sample, interval, alpha),
        minimum=minimum_cases(margin, alpha),
    )


def judge_drop(
    drop: Fraction, interval: DropInterval, margin: Fraction, alpha: float, rule: Rule
) -> Outcome:
    """The outcome of a measured `drop` (exact) with its interval at the same alpha.

    NOT_MEASURED for an interval that rests on nothing. Raises ValueError for a margin outside
    (0, 1).
    """
    if interval.groups == 0:
        return Outcome.NOT_MEASURED
    enough = interval.groups >= minimum_cases(margin, alpha)
    reached = drop >= margin
    # first for every rule: a significant drop that is surely below the margin is allowed
    if enough and interval.upper < margin:
        return Outcome.PASS
    if rule is Rule.SIMPLE and reached:
        return Outcome.FAIL
    if enough and interval.lower > 0 and (reached or rule is Rule.STRICT):
        return Outcome.FAIL
    return Outcome.INCONCLUSIVE


def _flips(sample: PairedSample, interval: DropInterval, alpha: float) -> float:
    if not sample.cases:
        return 0.0
    if sample.one_run and sample.groups is None:
        return sum(map(abs, sample.differences)) / sample.cases
    half = max(interval.upper - interval.drop, interval.drop - interval.lower)
    return sample.cases * (half / normal_quantile(alpha)) ** 2
