"""A mean from many predictions and few labels (PPI++), as rates and paired drops need it.

Angelopoulos, Duchi & Zrnic (2023), "PPI++: Efficient prediction-powered inference",
arXiv:2311.01453. The labelled cases are among the predicted ones here (a judge judges all, some are
labelled); their estimator then is the regression estimator of two-phase sampling.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence

import msgspec

from evalkit.judge.errors import kish


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    """A case with a prediction and, where it was labelled, its label.

    `weight` is one over the probability of being labelled. Cases of one `group` depend on each
    other; None is a group of its own.
    """

    prediction: float
    label: float | None = None
    weight: float = 1.0
    group: Hashable | None = None


class PredictedMean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean with its standard error; `power` is lambda.

    `groups` is the number of independent labelled units, `effective` how many of them equal weights
    would need (Kish).
    """

    value: float
    error: float
    power: float
    groups: int
    effective: float


def predicted_mean(cases: Sequence[Predicted]) -> PredictedMean | None:
    """The mean label of all cases, by the labels of some; None with fewer than two labelled groups.

    lambda * mean(predictions) + the weighted mean of (label - lambda * prediction), where lambda is
    the weighted slope of label on prediction. The variance is the cluster-robust one of the
    linearised estimator, with the small-sample factor G/(G-1) of the labelled groups. To it comes
    the square of half a label in the heaviest group: an outcome that is rare where few cases were
    labelled leaves no trace in the spread when none of it was sampled.
    """
    labelled = [(each, each.label) for each in cases if each.label is not None]
    weights: defaultdict[Hashable, float] = defaultdict(float)
    for i, (each, _) in enumerate(labelled):
        weights[_key(each, i)] += each.weight
    if len(weights) < 2:
        return None
    total = math.fsum(weights.values())
    mean_label = math.fsum(each.weight * label for each, label in labelled) / total
    mean_seen = math.fsum(each.weight * each.prediction for each, _ in labelled) / total
    seen = [(each.weight, each.prediction - mean_seen, y - mean_label) for each, y in labelled]
    spread = math.fsum(w * f * f for w, f, _ in seen)
    power = math.fsum(w * f * y for w, f, y in seen) / spread if spread > 0 else 0.0
    mean_all = math.fsum(each.prediction for each in cases) / len(cases)
    influence: defaultdict[Hashable, float] = defaultdict(float)
    for i, each in enumerate(cases):
        part = power * (each.prediction - mean_all) / len(cases)
        if each.label is not None:
            rest = each.label - mean_label - power * (each.prediction - mean_seen)
            part += each.weight * rest / total
        influence[_key(each, i)] += part
    squares = math.fsum(part * part for part in influence.values())
    squares *= len(weights) / (len(weights) - 1)
    return PredictedMean(
        value=mean_label + power * (mean_all - mean_seen),
        error=math.sqrt(squares + (max(weights.values()) / (2 * total)) ** 2),
        power=power,
        groups=len(weights),
        effective=kish(list(weights.values())),
    )


def _key(case: Predicted, index: int) -> Hashable:
    return (False, index) if case.group is None else (True, case.group)
