"""How often a judge is wrong: the confusion table, TPR, TNR and J with their intervals.

Labels may be sampled with unequal probability (failing verdicts more often than passing ones), so
counts are sums of weights, and a rate's interval rests on an effective number of labels.
"""

import math
from collections.abc import Iterable, Sequence

from evalkit.judge.items import ErrorRates, JudgedItem
from evalkit.records.calibration import Confusion, Share
from evalkit.statistics.proportions import wilson

EACH_END = 0.025  # every interval of a calibration is a 95 % one


def confusion_of(items: Iterable[JudgedItem]) -> Confusion:
    """Labels against verdicts as sums of weights; an item without a verdict has abstained."""
    weights = _by_cell(items)
    return Confusion(
        true_pass=math.fsum(weights[True, True]),
        false_fail=math.fsum(weights[True, False]),
        false_pass=math.fsum(weights[False, True]),
        true_fail=math.fsum(weights[False, False]),
        abstained_pass=math.fsum(weights[True, None]),
        abstained_fail=math.fsum(weights[False, None]),
    )


def error_rates(items: Iterable[JudgedItem]) -> ErrorRates | None:
    """TPR and FPR over the items with a verdict; None unless labels of both kinds have one."""
    weights = _by_cell(items)
    tpr = weighted_rate(weights[True, True], weights[True, False])
    fpr = weighted_rate(weights[False, True], weights[False, False])
    if tpr is None or fpr is None:
        return None
    return ErrorRates(tpr=tpr[0], fpr=fpr[0], n_pass=tpr[1], n_fail=fpr[1])


def rate_shares(rates: ErrorRates) -> tuple[Share, Share, Share]:
    """TPR, TNR and J = TPR + TNR - 1 with 95 % intervals: Wilson's for TPR and TNR.

    J is a difference of two independent rates, so its interval joins their Wilson intervals
    (Newcombe 1998, method 10): unlike Wald's it has a width where a rate is 0 or 1, and its ends
    stay within -1..1.
    """
    tpr = share_of(rates.tpr, rates.n_pass)
    tnr = share_of(1 - rates.fpr, rates.n_fail)
    j = rates.youden
    youden = Share(
        value=j,
        lower=max(-1.0, j - math.hypot(tpr.value - tpr.lower, tnr.value - tnr.lower)),
        upper=min(1.0, j + math.hypot(tpr.upper - tpr.value, tnr.upper - tnr.value)),
        n=rates.n_pass + rates.n_fail,
    )
    return tpr, tnr, youden


def share_of(rate: float, n: float) -> Share:
    """A rate over an (effective) number with Wilson's 95 % interval."""
    lower, upper = wilson(rate * n, n, EACH_END)
    # a rate of 1 - x may round past the end that it is
    return Share(value=rate, lower=min(lower, rate), upper=max(upper, rate), n=n)


def weighted_rate(hits: Sequence[float], misses: Sequence[float]) -> tuple[float, float] | None:
    """The rate of hits, given the weights of both, and the effective number behind it.

    The effective number is what a simple random sample would need for the same variance,
    p(1-p) / v, where v is the linearised variance of the ratio, and never more than there are
    items (Korn & Graubard 1998). It is below Kish's where heavy items are those of the rarer
    outcome, above it where those are sampled more densely. A rate of 0 or 1 has v = 0, so there
    it is Kish's. None without items.
    """
    n = len(hits) + len(misses)
    if not n:
        return None
    if not hits or not misses:
        return float(bool(hits)), kish([*hits, *misses])
    if min(*hits, *misses) == max(*hits, *misses):
        # by counts: sums of weights would round, and a share is compared with a floor
        return len(hits) / n, float(n)
    hit, missed = math.fsum(hits), math.fsum(misses)
    rate = hit / (hit + missed)
    spread = math.fsum(w * w for w in hits) * (1 - rate) ** 2
    spread += math.fsum(w * w for w in misses) * rate**2
    return rate, min(float(n), rate * (1 - rate) * (hit + missed) ** 2 / spread)


def kish(weights: Sequence[float]) -> float:
    """Kish's (1965) effective number, (sum w)^2 / sum w^2; the plain number for equal weights."""
    if not weights or min(weights) == max(weights):
        return float(len(weights))
    return math.fsum(weights) ** 2 / math.fsum(w * w for w in weights)


def without_verdict(items: Iterable[JudgedItem]) -> float:
    """The (weighted) share of items on which the judge has neither verdict nor score; 0 of none."""
    lost: list[float] = []
    judged: list[float] = []
    for item in items:
        (lost if item.verdict is None and item.score is None else judged).append(item.weight)
    share = weighted_rate(lost, judged)
    return 0.0 if share is None else share[0]


def _by_cell(items: Iterable[JudgedItem]) -> dict[tuple[bool, bool | None], list[float]]:
    cells: dict[tuple[bool, bool | None], list[float]] = {
        (truth, verdict): [] for truth in (True, False) for verdict in (True, False, None)
    }
    for item in items:
        cells[item.truth, item.verdict].append(item.weight)
    return cells
