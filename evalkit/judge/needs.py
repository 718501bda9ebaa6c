"""How many labels are missing until a corrected pass rate is known well enough."""

import math
from collections.abc import Callable

from evalkit.judge.errors import EACH_END, share_of
from evalkit.judge.items import ErrorRates
from evalkit.records.calibration import Share
from evalkit.statistics.distributions import normal_quantile

MOST_LABELS = 1_000_000
_ROUNDING = 1e-12


def missing_labels(
    rates: ErrorRates,
    pass_rate: float,
    width: float,
    *,
    judged: float,
    judged_grows: bool = False,
) -> int | None:
    """How many more labels until the 95 % interval of the corrected pass rate is `width` wide.

    `pass_rate` is the judge's over `judged` outputs; `width` is upper minus lower end (fraction).
    The labels are taken to go on in their present mix of passes and fails. 0 where it is that
    narrow already, None where no number of labels gets there: the judge tells nothing (J <= 0), or
    too few outputs were judged. With `judged_grows` every label brings an output of its own, as
    where the labelled outputs are themselves the judged ones.

    For k times the labels the width is 2 z sqrt(Rogan & Gladen's (1978) variance)

        [p(1-p)/N + t^2 TPR(1-TPR)/(k n1) + (1-t)^2 FPR(1-FPR)/(k n0)] / J^2,  t = (p - FPR) / J

    with Lang & Reiczigel's (2014) additions to every count, one hit and one miss to n1 and n0 and
    z^2/2 of each to N, by which a rate of 0 or 1 has a variance. It is the width of their interval
    before that is cut at 0 and 1.
    """
    if not width > 0:
        raise ValueError(f"the width of an interval is above 0, not {width}")
    labels = rates.n_pass + rates.n_fail
    if rates.youden <= 0 or min(rates.n_pass, rates.n_fail, judged) <= 0:
        return None

    def wide(more: int) -> bool:
        times = 1 + more / labels
        outputs = judged * times if judged_grows else judged
        return corrected_width(_times(rates, times), pass_rate, outputs) > width + _ROUNDING

    return _fewest(wide)


def corrected_width(rates: ErrorRates, pass_rate: float, judged: float) -> float:
    """The width of Lang & Reiczigel's 95 % interval before it is cut at 0 and 1.

    Infinite where their additions leave no J above 0.
    """
    z = normal_quantile(EACH_END)
    n, n_pass, n_fail = judged + z * z, rates.n_pass + 2, rates.n_fail + 2
    p = (judged * pass_rate + z * z / 2) / n
    tpr = (rates.n_pass * rates.tpr + 1) / n_pass
    fpr = (rates.n_fail * rates.fpr + 1) / n_fail
    youden = tpr - fpr
    if youden <= 0:
        return math.inf
    true_rate = (p - fpr) / youden
    variance = p * (1 - p) / n
    variance += true_rate**2 * tpr * (1 - tpr) / n_pass
    variance += (1 - true_rate) ** 2 * fpr * (1 - fpr) / n_fail
    return 2 * z * math.sqrt(variance) / youden


def missing_of_run(share: Share, width: float, *, labels: float, judged: int) -> int | None:
    """The same for a rate whose labels are a sample of the `judged` outputs themselves.

    Of two-phase sampling (Cochran 1977, ch. 12) the variance is F + L / n for n labels: what is
    left with every output labelled, and what labels take away. Both follow from the width now and
    from Wilson's width for `judged` labels. None where even that is wider than wanted.
    """
    if not width > 0:
        raise ValueError(f"the width of an interval is above 0, not {width}")
    now = share.upper - share.lower
    if now <= width + _ROUNDING:
        return 0
    whole = share_of(share.value, judged)
    least = whole.upper - whole.lower
    if least > width or labels >= judged:
        return None
    by_labels = (now**2 - least**2) / (1 / labels - 1 / judged)
    left = least**2 - by_labels / judged
    wanted = by_labels / (width**2 - left)
    return min(judged, math.ceil(wanted - _ROUNDING)) - math.floor(labels)


def _times(rates: ErrorRates, times: float) -> ErrorRates:
    return ErrorRates(
        tpr=rates.tpr,
        fpr=rates.fpr,
        n_pass=rates.n_pass * times,
        n_fail=rates.n_fail * times,
    )


def _fewest(too_few: Callable[[int], bool]) -> int | None:
    """The smallest number that is not too few; None where `MOST_LABELS` are."""
    if not too_few(0):
        return 0
    low, high = 0, 64
    while too_few(high):
        if high >= MOST_LABELS:
            return None
        low, high = high, min(2 * high, MOST_LABELS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if too_few(middle) else (low, middle)
    return high
