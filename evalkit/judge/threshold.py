"""From which score on a graded judge passes, chosen on the tuning part of the labels."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from evalkit.judge.items import JudgedItem

_TIE = 1e-12  # sums of weights differ by rounding where two values of J are one


def best_threshold(items: Iterable[JudgedItem], lowest: float, highest: float) -> float | None:
    """The threshold with the largest J = TPR - FPR on the tuning part; a score passes from it on.

    TPR and FPR are of the items with a score, by their weights. A threshold lies halfway between
    two neighbouring scores of the tuning part. Where several reach the same J it is the one in the
    widest gap, which the scores of other outputs cross least; among equal gaps the one nearest to
    the middle of the scale, then the lower one. Thresholds that every score passes, or none, are
    not considered: their J of 0 would hide a judge that is worse than chance. Only where all scores
    are one there is no other, and it lies halfway to the end of the scale that is further away.

    None unless labels of both kinds have a score: then there is nothing to choose by.
    """
    scored = sorted(
        (item.score, item.truth, item.weight)
        for item in items
        if item.part == "tuning" and item.score is not None
    )
    if len({truth for _, truth, _ in scored}) < 2:
        return None
    scores = sorted({score for score, _, _ in scored})
    if len(scores) == 1:
        only = scores[0]
        end = lowest if only - lowest >= highest - only else highest
        return _between(end, only) if end < only else _between(only, end)
    youden = _youden_above(scored)
    best = max(youden)
    middle = (lowest + highest) / 2

    def preference(i: int) -> tuple[float, float, float]:
        threshold = _between(scores[i], scores[i + 1])
        # gaps and distances that differ by rounding are equal
        gap = round(scores[i + 1] - scores[i], 9)
        return -gap, round(abs(threshold - middle), 9), threshold

    chosen = min((i for i, j in enumerate(youden) if j >= best - _TIE), key=preference)
    return _between(scores[chosen], scores[chosen + 1])


def _youden_above(scored: Sequence[tuple[float, bool, float]]) -> list[float]:
    """J when a score passes above each distinct score but the highest, in ascending order."""
    of_passes = math.fsum(weight for _, truth, weight in scored if truth)
    of_fails = math.fsum(weight for _, truth, weight in scored if not truth)
    values = []
    passes = fails = 0.0
    for (score, truth, weight), (following, _, _) in pairwise(scored):
        passes += weight if truth else 0.0
        fails += 0.0 if truth else weight
        if following > score:
            values.append(fails / of_fails - passes / of_passes)
    return values


def _between(below: float, above: float) -> float:
    """Halfway; for neighbouring floats, between which nothing lies, the upper one."""
    halfway = below + (above - below) / 2
    return halfway if halfway > below else above
