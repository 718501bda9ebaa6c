"""Drift: whether a judge still judges as it did when it was calibrated."""

from collections.abc import Iterable, Mapping

from evalkit.judge.differential import differing
from evalkit.judge.items import JudgedItem
from evalkit.records.calibration import Drift
from evalkit.statistics.exact import mcnemar_two_sided

MINIMUM_ANCHORS = 100
STALE_BELOW = 0.01


def anchor_drift(
    old: Mapping[str, bool | None], new: Mapping[str, bool | None], at: str
) -> Drift | None:
    """Exact McNemar test of the verdicts on an anchor set, by id.

    Only ids on both sides count; None with fewer than `MINIMUM_ANCHORS` of them. No verdict (None)
    is a state of its own: whether the verdicts shifted is tested among the items with one on both
    sides, whether verdicts went missing (or came) among all. With any verdict missing p is twice
    the smaller of the two (Bonferroni). `changed` counts the items whose state differs: the test
    tells a shift, not flips that cancel, which are noise of the judge and in its error rates.
    """
    pairs = [(old[key], new[key]) for key in old.keys() & new.keys()]
    if len(pairs) < MINIMUM_ANCHORS:
        return None
    p = mcnemar_two_sided(pairs.count((True, False)), pairs.count((False, True)))
    if any(None in pair for pair in pairs):
        lost = sum(before is not None and after is None for before, after in pairs)
        came = sum(before is None and after is not None for before, after in pairs)
        p = min(1.0, 2 * min(p, mcnemar_two_sided(lost, came)))
    changed = sum(before is not after for before, after in pairs)
    return Drift(test="mcnemar", n=len(pairs), changed=changed, p=p, at=at)


def spot_drift(
    calibrated: Iterable[JudgedItem], spot: Iterable[JudgedItem], at: str
) -> Drift | None:
    """Fisher's exact test of the errors on a run's spot checks against the calibration's.

    TPR and TNR are tested one by one, for a run with more fails than the calibration had need not
    have another judge; p is twice the smaller (Bonferroni). Either may be sampled by verdict
    (`differential.differing`). `n` is the number of spot checks with a verdict, `changed` that of
    the errors among them. None where one side has no item with a verdict.
    """
    before = [item for item in calibrated if item.verdict is not None]
    after = [item for item in spot if item.verdict is not None]
    if not before or not after:
        return None
    p = min(1.0, 2 * min(differing(before, after)))
    wrong = sum(item.verdict is not item.truth for item in after)
    return Drift(test="fisher", n=len(after), changed=wrong, p=p, at=at)


def is_stale(drift: Drift | None) -> bool:
    """Whether what drift shows ends a calibration: p below .01."""
    return drift is not None and drift.p < STALE_BELOW
