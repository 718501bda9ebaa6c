"""Judges drawn by chance: what one with known error rates says of outputs we know the truth of.

Counts of outputs come in the order of `CELLS`: label before verdict.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.judge.items import JudgedItem
from evalkit.records.calibration import Share

CELLS = ((True, True), (True, False), (False, True), (False, False))
Counts = Sequence[int]


@dataclass(frozen=True)
class Judge:
    """One that passes `tpr` of the good outputs and `fpr` of the bad."""

    tpr: float = 0.9
    fpr: float = 0.2

    def cells(self, rate: float) -> list[float]:
        """The shares of `CELLS` among outputs of which `rate` are good."""
        good, bad = (self.tpr * rate, (1 - self.tpr) * rate), (1 - rate) * self.fpr
        return [*good, bad, (1 - rate) * (1 - self.fpr)]


def labelled(counts: Counts, weights: tuple[float, float] = (1.0, 1.0)) -> list[JudgedItem]:
    """Items in these numbers; `weights` are those of passed and of failed outputs."""
    items: list[JudgedItem] = []
    for (truth, verdict), number in zip(CELLS, counts, strict=True):
        weight = weights[0] if verdict else weights[1]
        items += [JudgedItem(truth=truth, verdict=verdict, weight=weight)] * int(number)
    return items


def sample_by_verdict(
    rng: np.random.Generator, counts: Counts, passed: int, failed: int
) -> list[JudgedItem]:
    """Labels of `passed` of the passed outputs and `failed` of the failed, with their weights.

    Of a verdict that fewer outputs have, all are labelled.
    """
    good, missed, false, right = (int(number) for number in counts)
    passed, failed = min(passed, good + false), min(failed, missed + right)
    a = rng.hypergeometric(good, false, passed) if passed else 0
    b = rng.hypergeometric(missed, right, failed) if failed else 0
    weights = ((good + false) / max(1, passed), (missed + right) / max(1, failed))
    return labelled((a, b, passed - a, failed - b), weights)


@dataclass(frozen=True)
class Found:
    """How an estimate did over many draws, in percentage points and percent."""

    bias: float
    covers: float
    width: float
    below: float
    above: float

    def __str__(self) -> str:
        return f"bias {self.bias:+.2f} covers {self.covers:.1f} width {self.width:.1f}"


def tell(shares: Iterable[Share], truth: float) -> Found:
    """What so many estimates of one truth came to."""
    return summarise([(share.value, share.lower, share.upper) for share in shares], truth)


def summarise(estimates: Sequence[tuple[float, float, float]], truth: float) -> Found:
    """The same of (value, lower, upper); `below` and `above` say where the interval lay."""
    value, lower, upper = np.array(estimates).T
    return Found(
        bias=100 * float(value.mean() - truth),
        covers=100 * float(((lower <= truth) & (truth <= upper)).mean()),
        width=100 * float((upper - lower).mean()),
        below=100 * float((upper < truth).mean()),
        above=100 * float((lower > truth).mean()),
    )
