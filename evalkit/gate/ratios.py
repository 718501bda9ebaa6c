"""The increase of a ratio between two arms: cost per resolved case, or a plain mean.

The value of an arm is sum(amount) / sum(unit) over its cases. The increase is judged on the log of
the ratio between the arms, with the standard error of the delete-one-group jackknife (Efron &
Tibshirani 1993, An Introduction to the Bootstrap, chapter 11) and Student's t. The delta method's
error (Cochran 1977, Sampling Techniques, section 6.4) is its first term; what that leaves out
matters for a few skewed amounts, of which one can be a large part of the sum.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Hashable, Sequence

import msgspec

from evalkit.gate.intervals import mean_p
from evalkit.gate.settings import Rule
from evalkit.gate.wording import count, percent
from evalkit.records.verdict import Estimate, Outcome
from evalkit.statistics.distributions import normal_quantile, student_quantile

# costs and latencies are skewed, and the t interval is too narrow on a handful of such values
MINIMUM_GROUPS = 20
# e^700 is about the largest power that still is a float
_LARGEST_LOG = 700.0
# a part of a sum that is all of it, but for rounding
_ALL = 1 - 1e-12


class Arm(msgspec.Struct, frozen=True):
    """Per case: the mean amount, and what it is divided by (mean passes, or 1)."""

    amounts: Sequence[float]
    units: Sequence[float]

    @property
    def value(self) -> float | None:
        """The metric of this arm; None where nothing was resolved."""
        units = math.fsum(self.units)
        return math.fsum(self.amounts) / units if units > 0 else None


class IncreaseDecision(msgspec.Struct, frozen=True):
    """An outcome, why, and the increase it rests on (a fraction of the baseline).

    `small_signal` tells that too few cases show an increase past the limit that looks real.
    """

    outcome: Outcome
    reason: str
    baseline: float | None
    candidate: float | None
    estimate: Estimate | None = None
    p_value: float | None = None
    cases_to_pass: int | None = None
    small_signal: bool = False


def decide_increase(
    baseline: Arm,
    candidate: Arm,
    keys: Sequence[Hashable] | None,
    limit: float,
    alpha: float,
    rule: Rule,
) -> IncreaseDecision:
    """Decide whether the candidate's value rose by `limit` (a fraction of the baseline's) or more.

    `keys` name each case's group, None where every case is its own. NOT_MEASURED for a candidate
    that has nothing to divide by: what resolves nothing has no cost per resolved case. INCONCLUSIVE
    below `MINIMUM_GROUPS`.

    Raises ValueError for alpha outside (0, 0.5).
    """
    before, after = baseline.value, candidate.value
    groups = len(baseline.amounts) if keys is None else len(set(keys))
    undecided = Outcome.INCONCLUSIVE
    if after is None:
        reason = "the candidate resolved nothing to divide by"
        return IncreaseDecision(Outcome.NOT_MEASURED, reason, before, after)
    if before is None:
        reason = "the baseline resolved nothing to divide by"
        return IncreaseDecision(undecided, reason, before, after)
    if groups < MINIMUM_GROUPS:
        reason = f"{count(groups, 'independent case')} cannot tell; {MINIMUM_GROUPS} are needed"
        signal = _looks_real(baseline, candidate, keys, groups, limit, alpha)
        return IncreaseDecision(undecided, reason, before, after, small_signal=signal)
    if after == 0:
        return IncreaseDecision(Outcome.PASS, "the candidate used none", before, after)
    if before == 0:
        reason = "the baseline used none, so any use is past the limit"
        return IncreaseDecision(Outcome.FAIL, reason, before, after)
    log_ratio = math.log(after) - math.log(before)
    error = log_ratio_error(baseline, candidate, keys) or 0.0
    half = student_quantile(alpha, groups - 1) * error
    increase = min(after / before - 1, _increase(_LARGEST_LOG))
    lower, upper = _increase(log_ratio - half), _increase(log_ratio + half)
    limited = percent(limit)
    if upper < limit:
        outcome, reason = Outcome.PASS, f"an increase of {limited} or more is ruled out"
    elif increase >= limit and (lower > 0 or rule is Rule.SIMPLE):
        outcome, reason = Outcome.FAIL, f"which reaches the limit of {limited}"
    elif lower > 0 and rule is Rule.STRICT:
        outcome, reason = Outcome.FAIL, f"a real increase, and {limited} is not ruled out"
    else:
        outcome, reason = undecided, f"an increase of {limited} is neither shown nor ruled out"
    reach = (normal_quantile(alpha) + normal_quantile(0.2)) * error / math.log1p(limit)
    return IncreaseDecision(
        outcome,
        reason,
        before,
        after,
        Estimate(drop=increase, lower=lower, upper=upper),
        mean_p(log_ratio, error, groups),
        max(MINIMUM_GROUPS, math.ceil(len(baseline.amounts) * min(reach * reach, 1e6))),
    )


def _looks_real(
    baseline: Arm,
    candidate: Arm,
    keys: Sequence[Hashable] | None,
    groups: int,
    limit: float,
    alpha: float,
) -> bool:
    """Whether cases too few to decide on show an increase past the limit beyond chance."""
    before, after = baseline.value or 0.0, candidate.value or 0.0
    if after <= before * (1 + limit):
        return False
    if before <= 0:
        return True
    error = log_ratio_error(baseline, candidate, keys)
    if error is None:
        return False
    return math.log(after) - math.log(before) > student_quantile(alpha, groups - 1) * error


def log_ratio_error(baseline: Arm, candidate: Arm, keys: Sequence[Hashable] | None) -> float | None:
    """The jackknife's standard error of log(candidate.value / baseline.value).

    sqrt((G-1)/G * sum over groups of (theta_g - their mean)^2), theta_g the log ratio without group
    g; without `keys` every case is its own. None for one group or none, and infinite where a group
    has all that an arm has: without it there is no ratio. Both arms have amounts and units.
    """
    groups = len(baseline.amounts) if keys is None else len(set(keys))
    if groups < 2:
        return None
    moves = array("d", [0.0]) * groups
    for values, sign in (
        (candidate.amounts, 1.0),
        (candidate.units, -1.0),
        (baseline.amounts, -1.0),
        (baseline.units, 1.0),
    ):
        total = math.fsum(values)
        shares = array("d", (value / total for value in _by_group(values, keys)))
        if max(shares) > _ALL:
            return math.inf
        # the log of a sum without one of its parts, less that of the sum
        for i, share in enumerate(shares):
            moves[i] += sign * math.log1p(-share)
    mean = math.fsum(moves) / groups
    spread = math.fsum((move - mean) ** 2 for move in moves)
    return math.sqrt((groups - 1) / groups * spread)


def _by_group(values: Sequence[float], keys: Sequence[Hashable] | None) -> Sequence[float]:
    if keys is None:
        return values
    sums: defaultdict[Hashable, float] = defaultdict(float)
    for value, key in zip(values, keys, strict=True):
        sums[key] += value
    return list(sums.values())


def _increase(log_ratio: float) -> float:
    return math.expm1(min(log_ratio, _LARGEST_LOG))
