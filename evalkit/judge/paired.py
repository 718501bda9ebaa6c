"""The drop from labels on both arms, without assuming that the judge errs alike on them."""

from collections.abc import Hashable, Iterable

import msgspec

from evalkit.judge.predictions import Predicted, predicted_mean
from evalkit.records.verdict import Estimate
from evalkit.statistics.distributions import normal_quantile, student_quantile
from evalkit.statistics.proportions import check_alpha

MINIMUM_LABELLED = 50


class PairedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that a judge judged on both arms.

    `judged` is its drop by verdicts (mean of the baseline's trials minus mean of the candidate's,
    -1..1), `labelled` the same by labels, None where an arm has no label. `weight` is one over the
    probability with which the case was labelled on both arms. Cases of one `group` depend on each
    other.
    """

    judged: float
    labelled: float | None = None
    weight: float = 1.0
    group: Hashable | None = None


def paired_drop(cases: Iterable[PairedCase], *, alpha: float) -> Estimate | None:
    """The drop by PPI++ on paired differences, as fractions; None where labels are too few.

    All cases' judged drops times lambda, plus the weighted mean of (labelled - lambda * judged)
    over the cases labelled on both arms (Angelopoulos, Duchi & Zrnic 2023, arXiv:2311.01453). What
    the judge gets wrong on either arm is in the second term, so its errors may differ between them.
    The interval is Student's t at error `alpha` each end, with a degree of freedom less than there
    are labelled groups, and within -1..1. No end is nearer than Wilson's for no flip in so many
    labelled cases, z^2 / (n + z^2): flips of which none was sampled leave no trace in the spread.

    Too few are fewer than `MINIMUM_LABELLED` labelled cases, or all of them in one group. Raises
    ValueError for alpha outside (0, 0.5).
    """
    check_alpha(alpha)
    predicted = [
        Predicted(prediction=case.judged, label=case.labelled, weight=case.weight, group=case.group)
        for case in cases
    ]
    if sum(each.label is not None for each in predicted) < MINIMUM_LABELLED:
        return None
    mean = predicted_mean(predicted)
    if mean is None:
        return None
    z = normal_quantile(alpha)
    unseen = z * z / (mean.effective + z * z)
    reach = max(unseen, student_quantile(alpha, mean.groups - 1) * mean.error)
    drop = min(1.0, max(-1.0, mean.value))
    return Estimate(drop=drop, lower=max(-1.0, drop - reach), upper=min(1.0, drop + reach))
