"""Intervals for a drop in the pass rate.

`alpha` is always the error at each end: 0.05 gives the interval that people call 90 %, whose upper
end a true drop exceeds once in twenty runs. Drops are fractions, positive when the candidate is
worse.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Hashable, Sequence

import msgspec

from evalkit.statistics.distributions import (
    normal_quantile,
    normal_tail,
    sign_tail,
    student_quantile,
    student_tail,
)
from evalkit.statistics.proportions import check_alpha


class DropInterval(msgspec.Struct, frozen=True):
    """A drop, its interval, and the one-sided p-value of 'no drop' that belongs to it.

    `lower > 0` exactly when `p_value` is below the alpha of the interval. `groups` is the number
    of independent units behind it.
    """

    drop: float
    lower: float
    upper: float
    p_value: float
    groups: int


def tango(b: float, c: float, n: float, alpha: float) -> tuple[float, float]:
    """Score interval for the difference of two paired proportions, (b - c) / n.

    Tango (1998), Statistics in Medicine 17: 891-908. `b` and `c` are the discordant counts out of
    `n` pairs, fractions allowed. At a difference of zero its z is McNemar's, so that interval and
    test never contradict each other. No pairs say nothing: (-1, 1).

    Raises ValueError for negative counts, b + c > n, or alpha outside (0, 0.5).
    """
    check_alpha(alpha)
    if b < 0 or c < 0 or b + c > n * (1 + 1e-9):
        raise ValueError(f"no paired table has b={b}, c={c}, n={n}")
    if n == 0:
        return -1.0, 1.0
    z = normal_quantile(alpha)
    # the lower end is the upper end of the mirrored table, so swapping the arms mirrors exactly
    return -_tango_upper(c, b, n, z), _tango_upper(b, c, n, z)


def tango_score(difference: float, b: float, c: float, n: float) -> float:
    """Tango's z for the hypothesis that the paired difference is `difference`; falls in it."""
    excess = b - c - n * difference
    spread = n * (2 * _constrained_share(difference, b, c, n) + difference * (1 - difference))
    if spread <= 0:
        return 0.0 if excess == 0 else math.copysign(math.inf, excess)
    return excess / math.sqrt(spread)


def _constrained_share(d: float, b: float, c: float, n: float) -> float:
    """The maximum likelihood share of candidate-only passes when the difference is `d`."""
    linear = -b - c + (2 * n - b + c) * d
    constant = -c * d * (1 - d)
    root = math.sqrt(max(0.0, linear * linear - 8 * n * constant))
    if linear <= 0:
        return (root - linear) / (4 * n)
    # the same root without cancelling digits
    return -2 * constant / (linear + root)


def _tango_upper(b: float, c: float, n: float, z: float) -> float:
    low, high = min(1.0, (b - c) / n), 1.0
    while True:
        middle = (low + high) / 2
        if middle <= low or middle >= high or high - low < 1e-15:
            return high
        if tango_score(middle, b, c, n) > -z:
            low = middle
        else:
            high = middle


def mcnemar_exact(b: int, c: int) -> float:
    """One-sided exact McNemar p: P(at least b of b + c flips go against the candidate)."""
    return sign_tail(b, b + c)


def clustered_error(
    differences: Sequence[float], groups: Sequence[Hashable] | None
) -> float | None:
    """Standard error of the mean difference, clustered on `groups`; None for one group or none.

    Without `groups` every difference is its own.

    sqrt(G/(G-1) * sum over groups of (sum over its cases of (D_i - mean))^2) / n, the usual
    cluster-robust variance (Liang & Zeger 1986) with the small-sample factor.
    """
    n = len(differences)
    if n == 0:
        return None
    mean = math.fsum(differences) / n
    if groups is None:
        sums = array("d", (difference - mean for difference in differences))
    else:
        of_group: defaultdict[Hashable, float] = defaultdict(float)
        for difference, group in zip(differences, groups, strict=True):
            of_group[group] += difference - mean
        sums = array("d", of_group.values())
    g = len(sums)
    if g < 2:
        return None
    return math.sqrt(g / (g - 1) * math.fsum(total * total for total in sums)) / n


def drop_interval(
    differences: Sequence[float],
    groups: Sequence[Hashable] | None,
    alpha: float,
    *,
    one_run: bool,
) -> DropInterval:
    """The interval of the mean of `differences` (per case: mean baseline - mean candidate).

    With one run per arm and no groups this is Tango's interval. Otherwise it is the wider, end by
    end, of the clustered t interval and the score interval of the group means; the second keeps a
    spread of zero from passing at any size. `groups` None makes every case its own group.

    An end need not rise with every flip against the candidate: a case that comes nearer to the
    others narrows the interval, as with any that is estimated from the spread.

    Raises ValueError for alpha outside (0, 0.5) or groups of another length.
    """
    check_alpha(alpha)
    n = len(differences)
    if n == 0:
        return DropInterval(0.0, -1.0, 1.0, 1.0, 0)
    means = differences if groups is None else _group_means(differences, groups)
    g = len(means)
    drop = math.fsum(differences) / n
    lower, upper, p_value = _score_interval(means, alpha)
    if one_run and g == n:
        return DropInterval(drop, lower, upper, p_value, g)
    error = clustered_error(differences, groups)
    if error is None:
        return DropInterval(drop, -1.0, 1.0, 1.0, g)
    half = student_quantile(alpha, g - 1) * error
    return DropInterval(
        drop,
        max(-1.0, min(lower, drop - half)),
        min(1.0, max(upper, drop + half)),
        max(p_value, mean_p(drop, error, g)),
        g,
    )


def _score_interval(means: Sequence[float], alpha: float) -> tuple[float, float, float]:
    """Tango's interval for group means between -1 and 1, and the p-value of its score at 0.

    The variance of their sum is the sum of D^2, which Tango's table takes to be that of |D|: right
    for whole flips, too wide for means of several trials. So each group counts sum|D| / sum(D^2)
    times, and the score at 0 is sum(D) / sqrt(sum(D^2)), McNemar's where every flip is whole.

    That takes the drop that might be there for as finely divided as the noise that was seen. But
    cases that break break whole, and the few of them that a suite happens to miss leave no trace in
    its spread. So no end is nearer than that of a drop made of whole groups alone.
    """
    g = len(means)
    against = math.fsum(mean for mean in means if mean > 0)
    towards = math.fsum(-mean for mean in means if mean < 0)
    squares = math.fsum(mean * mean for mean in means)
    scale = (against + towards) / squares if squares > 0 else 1.0
    lower, upper = tango(scale * against, scale * towards, scale * g, alpha)
    if scale > 1:
        z, mean = normal_quantile(alpha), (against - towards) / g
        lower = min(lower, -_whole_upper(-mean, g, z))
        upper = max(upper, _whole_upper(mean, g, z))
    p_value = normal_tail((against - towards) / math.sqrt(squares)) if squares > 0 else 1.0
    return lower, upper, p_value


def _whole_upper(mean: float, groups: int, z: float) -> float:
    """The largest drop d with d - mean = z sqrt(d (1 - d) / groups); -1 where there is none.

    For a mean of 0 or more it is Wilson's (1927) upper end, z^2 / (groups + z^2) for 0. A candidate
    that improved by more than z^2 / (4 groups) has none.
    """
    weight = z * z / groups
    root = weight * weight + 4 * weight * mean * (1 - mean)
    if root < 0:
        return -1.0
    return (2 * mean + weight + math.sqrt(root)) / (2 * (1 + weight))


def mean_p(mean: float, error: float, groups: int) -> float:
    """One-sided p of 'the mean is at most 0' by the clustered t test."""
    if error <= 0:
        return 0.0 if mean > 0 else 1.0
    return student_tail(mean / error, groups - 1)


def _group_means(differences: Sequence[float], groups: Sequence[Hashable]) -> list[float]:
    members: defaultdict[Hashable, list[float]] = defaultdict(list)
    for difference, group in zip(differences, groups, strict=True):
        members[group].append(difference)
    means = [math.fsum(values) / len(values) for values in members.values()]
    # thirds that cancel leave a rounding error, which is no flip
    return [mean if abs(mean) > 1e-12 else 0.0 for mean in means]
