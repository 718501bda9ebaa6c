"""The drop in the pass rate after a judge's errors are taken out."""

import math

from evalkit.judge.items import ErrorRates
from evalkit.records.verdict import Estimate
from evalkit.statistics.distributions import normal_quantile, normal_tail
from evalkit.statistics.proportions import check_alpha


def corrected_drop(
    raw: Estimate, rates: ErrorRates, *, alpha: float, judged_excess: float = 0.0
) -> Estimate:
    """The true drop behind the drop that a judge shows, as fractions; `alpha` is each end's error.

    A pass rate shows as FPR * (share judged) + J * (pass rate), since an attempt that is a fail
    without asking never shows as a pass. So with `raw` the drop on the judge's scale and
    `judged_excess` the share of attempts judged of the baseline minus that of the candidate, it is
    (raw - FPR * judged_excess) / J: raw / J (Rogan & Gladen 1978) where as many were judged. It
    takes for granted that the judge errs alike on both arms.

    Each end lies as far off as that of the raw interval over J, joined in squares with the normal
    deviation of the error rates (MOVER, Zou & Donner 2008, so the asymmetry of the raw interval is
    kept): (drop / J)^2 Var TPR + ((drop - judged_excess) / J)^2 Var FPR. The ends stay in -1..1.

    Raises ValueError for J of 0 or less, labels of one kind only, or alpha outside (0, 0.5).
    """
    check_alpha(alpha)
    j = rates.youden
    if j <= 0:
        raise ValueError(f"J = {j:.3g}: a judge that is no better than chance shows no drop")
    if min(rates.n_pass, rates.n_fail) <= 0:
        raise ValueError("labels of one kind only tell no error rates")
    drop = (raw.drop - rates.fpr * judged_excess) / j
    variance = (drop / j) ** 2 * _variance(rates.tpr, rates.n_pass)
    variance += ((drop - judged_excess) / j) ** 2 * _variance(rates.fpr, rates.n_fail)
    deviation = normal_quantile(alpha) * math.sqrt(variance)
    drop = min(1.0, max(-1.0, drop))
    return Estimate(
        drop=drop,
        lower=max(-1.0, drop - math.hypot((raw.drop - raw.lower) / j, deviation)),
        upper=min(1.0, drop + math.hypot((raw.upper - raw.drop) / j, deviation)),
    )


def p_value(estimate: Estimate, *, alpha: float) -> float:
    """One-sided p of 'no drop' that belongs to the interval at `alpha`: below it iff lower > 0.

    The normal tail of the drop over the standard error that the lower end stands for.

    Raises ValueError for alpha outside (0, 0.5).
    """
    check_alpha(alpha)
    reach = estimate.drop - estimate.lower
    if reach > 0:
        p = normal_tail(normal_quantile(alpha) * estimate.drop / reach)
    else:
        p = 0.0 if estimate.drop > 0 else 1.0
    # of an end that is just 0 the tail is alpha but for rounding
    return min(p, math.nextafter(alpha, 0.0)) if estimate.lower > 0 else max(p, alpha)


def _variance(rate: float, n: float) -> float:
    """A rate's variance with one hit and one miss added, as no sample proves a rate of 0 or 1."""
    rate = (rate * n + 1) / (n + 2)
    return rate * (1 - rate) / (n + 2)
