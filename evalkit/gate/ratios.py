"""The increase of a ratio between two arms: cost per resolved case, or a plain mean.

The value of an arm is sum(amount) / sum(unit) over its cases. The increase is judged on the log of
the ratio between the arms, with the delta method's variance clustered on group (Cochran 1977,
Sampling Techniques, section 6.4) and Student's t.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from evalkit.gate.distributions import normal_quantile, student_quantile
from evalkit.gate.intervals import clustered_error, mean_p
from evalkit.gate.settings import Rule
from evalkit.gate.wording import count, percent
from evalkit.records.verdict import Estimate, Outcome

# costs and latencies are skewed, and the t interval is too narrow on a handful of such values
MINIMUM_GROUPS = 20
# e^700 is about the largest power that still is a float
_LARGEST_LOG = 700.0


@dataclass(frozen=True, slots=True)
class Arm:
    """Per case: the mean amount, and what it is divided by (mean passes, or 1)."""

    amounts: tuple[float, ...]
    units: tuple[float, ...]

    @property
    def value(self) -> float | None:
        """The metric of this arm; None where nothing was resolved."""
        units = math.fsum(self.units)
        return math.fsum(self.amounts) / units if units > 0 else None


@dataclass(frozen=True, slots=True)
class IncreaseDecision:
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
    error = clustered_error(_influence(baseline, candidate), keys) or 0.0
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
    error = clustered_error(_influence(baseline, candidate), keys)
    if error is None:
        return False
    return math.log(after) - math.log(before) > student_quantile(alpha, groups - 1) * error


def _influence(baseline: Arm, candidate: Arm) -> list[float]:
    """Each case's pull on the log ratio, the linear term of the delta method."""
    before, after = _pull(baseline), _pull(candidate)
    return [cand - base for cand, base in zip(after, before, strict=True)]


def _pull(arm: Arm) -> list[float]:
    n = len(arm.amounts)
    amount, unit = math.fsum(arm.amounts), math.fsum(arm.units)
    return [n * (a / amount - u / unit) for a, u in zip(arm.amounts, arm.units, strict=True)]


def _increase(log_ratio: float) -> float:
    return math.expm1(min(log_ratio, _LARGEST_LOG))
