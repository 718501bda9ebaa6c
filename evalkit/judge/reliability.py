"""How far a graded judge's score tells the probability that a label says pass.

The probabilities are fitted on the tuning part and held against the test part.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Literal

from evalkit.judge.errors import kish, share_of, weighted_rate
from evalkit.judge.items import JudgedItem
from evalkit.judge.probabilities import ScoredLabel, fit_isotonic, fit_platt
from evalkit.records.calibration import Reliability, ReliabilityBin

# Isotonic regression overfits below about this many (Niculescu-Mizil & Caruana 2005).
ISOTONIC_FROM = 1000
MOST_BINS = 10
LABELS_A_BIN = 15  # a bin of fewer says little: fewer bins then

_Judged = tuple[float, float, bool, float]
"""Score, probability, truth, weight."""


def measure_reliability(items: Iterable[JudgedItem]) -> Reliability | None:
    """Bins of equal mass, ECE, Brier score and AUC of the test part's scores.

    Scores become probabilities by isotonic regression where the tuning part has `ISOTONIC_FROM`
    labels (effectively), else by Platt's sigmoid. ECE is the mean over the test items of
    |predicted - observed| of their bin; with few labels a bin it is too large by chance (a bin of n
    is off by about sqrt(p (1 - p) / n) even for a judge without fault). The Brier score is the mean
    squared difference between probability and label. All of them are weighted.

    None where nothing can be fitted or held against it: no score in the test part, or none of
    either kind of label in the tuning part. A judge of binary verdicts has no scores.
    """
    items = list(items)
    tuning = _scored(items, "tuning")
    test = _scored(items, "test")
    if not test or len({truth for _, truth, _ in tuning}) < 2:
        return None
    many = kish([weight for _, _, weight in tuning]) >= ISOTONIC_FROM
    predict = fit_isotonic(tuning) if many else fit_platt(tuning)
    judged = [(score, predict(score), truth, weight) for score, truth, weight in sorted(test)]
    bins, ece = _held_against(judged)
    return Reliability(
        method="isotonic" if many else "platt",
        bins=bins,
        ece=ece,
        brier=brier_score(judged),
        auc=area_under_curve(test),
    )


def area_under_curve(labels: Iterable[ScoredLabel]) -> float | None:
    """P(a pass scores higher than a fail), ties as half, by weights; None unless there are both.

    Mann & Whitney's U over the number of pairs.
    """
    fails_below = passes_total = 0.0
    won: list[float] = []
    for _, group in groupby(sorted(labels), key=itemgetter(0)):
        same = list(group)
        passes = math.fsum(weight for _, truth, weight in same if truth)
        fails = math.fsum(weight for _, truth, weight in same if not truth)
        won.append(passes * (fails_below + fails / 2))
        fails_below += fails
        passes_total += passes
    pairs = passes_total * fails_below
    return min(1.0, math.fsum(won) / pairs) if pairs else None


def brier_score(judged: Sequence[_Judged]) -> float:
    """The (weighted) mean of (probability - label)^2 (Brier 1950)."""
    total = math.fsum(weight for *_, weight in judged)
    return math.fsum(w * (p - float(truth)) ** 2 for _, p, truth, w in judged) / total


def equal_mass_bins(judged: Sequence[_Judged], most: int) -> list[list[_Judged]]:
    """Up to `most` runs of neighbouring scores, about equally heavy.

    `judged` ascends by score. Items of one score stay together, so a coarse scale has fewer bins,
    and heavier ones.
    """
    width = math.fsum(weight for *_, weight in judged) / most
    bins: dict[int, list[_Judged]] = {}
    below = 0.0
    for _, group in groupby(judged, key=itemgetter(0)):
        same = list(group)
        mass = math.fsum(weight for *_, weight in same)
        # a score belongs where the middle of its mass falls
        at = min(most - 1, int((below + mass / 2) / width))
        bins.setdefault(at, []).extend(same)
        below += mass
    return list(bins.values())


def _held_against(judged: Sequence[_Judged]) -> tuple[tuple[ReliabilityBin, ...], float]:
    most = max(1, min(MOST_BINS, len(judged) // LABELS_A_BIN))
    total = math.fsum(weight for *_, weight in judged)
    bins, off = [], []
    for same in equal_mass_bins(judged, most):
        passes = [weight for _, _, truth, weight in same if truth]
        fails = [weight for _, _, truth, weight in same if not truth]
        observed = weighted_rate(passes, fails)
        if observed is None:
            raise AssertionError("a bin has items")
        mass = math.fsum(weight for *_, weight in same)
        predicted = math.fsum(p * weight for _, p, _, weight in same) / mass
        off.append(mass * abs(predicted - observed[0]))
        bins.append(
            ReliabilityBin(
                n=len(same),
                lowest=same[0][0],
                highest=same[-1][0],
                predicted=predicted,
                observed=share_of(*observed),
            )
        )
    return tuple(bins), math.fsum(off) / total


def _scored(items: Iterable[JudgedItem], part: Literal["tuning", "test"]) -> list[ScoredLabel]:
    return [
        (item.score, item.truth, item.weight)
        for item in items
        if item.part == part and item.score is not None
    ]
