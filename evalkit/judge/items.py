"""What the arithmetic works on: a label and a verdict on one output."""

from collections.abc import Iterable

import msgspec

from evalkit.records.label import LabelPart


class JudgedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled output with what the judge said of it.

    `truth` is the label that stands. `verdict` is None where the judge has none (abstained,
    unparseable, refused, error). `score` is a graded judge's; its verdict is then made by a
    threshold. `weight` is one over the probability of being sampled. `second` is a second
    labeller's label (`first` the first one's), `arm` names the variant or model that the output is
    from.
    """

    truth: bool
    verdict: bool | None = None
    score: float | None = None
    weight: float = 1.0
    part: LabelPart = "test"
    first: bool | None = None
    second: bool | None = None
    arm: str | None = None


class ErrorRates(msgspec.Struct, frozen=True, kw_only=True):
    """A judge's error rates and the (effective) number of labels behind each.

    `tpr` is P(judge pass | label pass) over `n_pass` labels, `fpr` P(judge pass | label fail) over
    `n_fail`.
    """

    tpr: float
    fpr: float
    n_pass: float
    n_fail: float

    @property
    def youden(self) -> float:
        """J = TPR - FPR: how much of a true difference the judge lets through."""
        return self.tpr - self.fpr

    @property
    def youden_variance(self) -> float:
        """Var J = TPR(1-TPR)/n_pass + FPR(1-FPR)/n_fail."""
        return self.tpr_variance + self.fpr_variance

    @property
    def tpr_variance(self) -> float:
        """The binomial variance of the TPR."""
        return self.tpr * (1 - self.tpr) / self.n_pass if self.n_pass else float("inf")

    @property
    def fpr_variance(self) -> float:
        """The binomial variance of the FPR."""
        return self.fpr * (1 - self.fpr) / self.n_fail if self.n_fail else float("inf")


def with_threshold(items: Iterable[JudgedItem], threshold: float) -> list[JudgedItem]:
    """The items with verdicts made of their scores: a pass from `threshold` on.

    An item without a score keeps its verdict.
    """
    return [
        item
        if item.score is None
        else JudgedItem(
            truth=item.truth,
            verdict=item.score >= threshold,
            score=item.score,
            weight=item.weight,
            part=item.part,
            first=item.first,
            second=item.second,
            arm=item.arm,
        )
        for item in items
    ]
