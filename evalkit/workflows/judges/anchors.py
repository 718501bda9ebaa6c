"""Whether a judge still says what it said when it was measured last, on the same outputs."""

from collections.abc import Mapping

from evalkit.judge.drift import anchor_drift, is_stale
from evalkit.records.asset import Rubric
from evalkit.records.calibration import Calibration, Drift
from evalkit.score.judging.combining import passing_score


def drift_since(
    rubric: Rubric, before: Calibration | None, now: Calibration, *, anew: bool
) -> Drift | None:
    """The drift that counts: what is found now, else what was found and is not refuted.

    Only a judge that was asked anew can show either: a cache says the same forever.
    """
    if before is None or before.judge != now.judge:
        return None
    if not anew:
        return before.drifted
    # both by one threshold, so that only the judge can make a difference
    threshold = before.measured.threshold
    old, new = (_as_verdicts(rubric, each.verdicts, threshold) for each in (before, now))
    found = anchor_drift(old, new, now.made_at)
    if found is None:
        return before.drifted
    return found if is_stale(found) else None


def _as_verdicts(
    rubric: Rubric, kept: Mapping[str, bool | float | None], threshold: float | None
) -> dict[str, bool | None]:
    limit = passing_score(rubric.scale, threshold)
    return {
        id_: value if value is None or isinstance(value, bool) else value >= limit
        for id_, value in kept.items()
    }
