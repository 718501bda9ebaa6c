"""From a graded score to the probability of a pass: Platt's sigmoid, isotonic regression."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from evalkit.judge.errors import kish

ScoredLabel = tuple[float, bool, float]
"""A score, whether its label is pass, and the label's weight."""

_NEWTON_STEPS = 100
_RIDGE = 1e-12
_CONVERGED = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """All labels of one score: their weight, and the weighted share that says pass."""

    score: float
    weight: float
    passes: float


def fit_platt(labels: Sequence[ScoredLabel]) -> Callable[[float], float]:
    """Platt's (1999) 1 / (1 + exp(-(a score + b))), by maximum (weighted) likelihood.

    The labels are not fitted as 1 and 0 but as (n1 + 1) / (n1 + 2) and 1 / (n0 + 2), with n1 passes
    and n0 fails (effective numbers): Platt's own guard against certainty from few labels, by which
    a and b stay finite where a score parts the labels without error. Newton's method with halved
    steps (Lin, Lin & Weng 2007), on standardised scores.

    Raises ValueError unless there are labels of both kinds.
    """
    passes = [weight for _, truth, weight in labels if truth]
    fails = [weight for _, truth, weight in labels if not truth]
    if not passes or not fails:
        raise ValueError("a sigmoid needs labels of both kinds")
    high = (kish(passes) + 1) / (kish(passes) + 2)
    low = 1 / (kish(fails) + 2)
    levels = _levels(labels)
    total = math.fsum(level.weight for level in levels)
    mean = math.fsum(level.weight * level.score for level in levels) / total
    spread = math.fsum(level.weight * (level.score - mean) ** 2 for level in levels) / total
    deviation = math.sqrt(spread)
    if len(levels) == 1 or deviation == 0:
        rate = math.fsum(level.weight * level.passes for level in levels) / total
        constant = rate * high + (1 - rate) * low
        return lambda _: constant
    cells = [
        (
            (level.score - mean) / deviation,
            level.weight / total,
            level.passes * high + (1 - level.passes) * low,
        )
        for level in levels
    ]
    slope, intercept = _newton(cells)
    return lambda score: _sigmoid(slope * (score - mean) / deviation + intercept)


def fit_isotonic(labels: Sequence[ScoredLabel]) -> Callable[[float], float]:
    """The share of passes by score that never falls, by least (weighted) squares.

    Neighbouring scores whose shares are out of order are pooled (pool adjacent violators; Ayer et
    al. 1955). Between two scores the probability is interpolated, beyond them it is that of the
    nearest.

    Raises ValueError without labels.
    """
    if not labels:
        raise ValueError("nothing to fit")
    levels = _levels(labels)
    pools: list[tuple[float, float, int]] = []  # share of passes, weight, number of levels
    for level in levels:
        share, weight, size = level.passes, level.weight, 1
        while pools and pools[-1][0] >= share:
            before, its_weight, its_size = pools.pop()
            share = (before * its_weight + share * weight) / (its_weight + weight)
            weight += its_weight
            size += its_size
        pools.append((share, weight, size))
    scores = [level.score for level in levels]
    shares = [share for share, _, size in pools for _ in range(size)]

    def predict(score: float) -> float:
        at = bisect_left(scores, score)
        if at == len(scores):
            return shares[-1]
        if at == 0 or scores[at] == score:
            return shares[at]
        part = (score - scores[at - 1]) / (scores[at] - scores[at - 1])
        return shares[at - 1] + part * (shares[at] - shares[at - 1])

    return predict


def _levels(labels: Iterable[ScoredLabel]) -> list[_Level]:
    """The labels by score, ascending."""
    levels = []
    for score, group in groupby(sorted(labels), key=itemgetter(0)):
        same = list(group)
        weight = math.fsum(w for _, _, w in same)
        passes = math.fsum(w for _, truth, w in same if truth)
        levels.append(_Level(score=score, weight=weight, passes=passes / weight))
    return levels


def _newton(cells: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Slope and intercept for (x, weight, target) cells whose weights add up to 1."""
    rate = math.fsum(w * target for _, w, target in cells)
    slope, intercept = 0.0, math.log(rate / (1 - rate))
    loss = _loss(cells, slope, intercept)
    for _ in range(_NEWTON_STEPS):
        by_slope = by_intercept = 0.0
        curve = cross = level = 0.0
        for x, w, target in cells:
            p = _sigmoid(slope * x + intercept)
            off, bend = w * (p - target), w * p * (1 - p)
            by_slope += off * x
            by_intercept += off
            curve += bend * x * x
            cross += bend * x
            level += bend
        if max(abs(by_slope), abs(by_intercept)) < _CONVERGED:
            break
        curve, level = curve + _RIDGE, level + _RIDGE
        determinant = curve * level - cross * cross
        step_slope = (level * by_slope - cross * by_intercept) / determinant
        step_intercept = (curve * by_intercept - cross * by_slope) / determinant
        length = 1.0
        while length > _CONVERGED:
            following = slope - length * step_slope, intercept - length * step_intercept
            lower = _loss(cells, *following)
            if lower < loss:
                break
            length /= 2
        else:
            break  # nothing along Newton's direction is better: as near as floats get
        (slope, intercept), loss = following, lower
    return slope, intercept


def _loss(cells: Sequence[tuple[float, float, float]], slope: float, intercept: float) -> float:
    """Cross entropy, written so that neither exp nor log runs over."""
    parts = []
    for x, w, target in cells:
        z = slope * x + intercept
        parts.append(w * (max(z, 0.0) + math.log1p(math.exp(-abs(z))) - target * z))
    return math.fsum(parts)


def _sigmoid(z: float) -> float:
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    grown = math.exp(z)
    return grown / (1 + grown)
