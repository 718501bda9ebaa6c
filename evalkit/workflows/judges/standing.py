"""Whether a judge may gate today: its calibration held against who would judge now."""

from evalkit.judge.fitness import why_unfit
from evalkit.records.asset import Rubric
from evalkit.records.calibration import Calibration, JudgeStanding


def standing_of(
    rubric: Rubric,
    calibration: Calibration | None,
    *,
    judge_digest: str,
    labels_digest: str | None,
) -> JudgeStanding:
    """The standing of a rubric's judge.

    `judge_digest` is of the judge that would be asked now, `labels_digest` of the label set as it
    is now (None without one). The floor is the rubric's of today: fitness is decided anew, so that
    a floor raised after the measurement holds.
    """
    if calibration is None:
        return JudgeStanding(
            standing="uncalibrated",
            why=(f"Nobody has measured how often the judge of {rubric.ref} is wrong.",),
        )
    stale = _changes(rubric, calibration, judge_digest, labels_digest)
    measured = calibration.measured
    unfit = () if stale else why_unfit(measured, rubric.floor, graded=rubric.scale.kind == "graded")
    return JudgeStanding(
        standing="stale" if stale else ("unfit" if unfit else "fit"),
        why=stale or unfit,
        tpr=None if measured.tpr is None else measured.tpr.value,
        tnr=None if measured.tnr is None else measured.tnr.value,
        n_pass=0.0 if measured.tpr is None else measured.tpr.n,
        n_fail=0.0 if measured.tnr is None else measured.tnr.n,
        threshold=measured.threshold,
        labelled_by=measured.labelled_by,
    )


def _changes(
    rubric: Rubric, calibration: Calibration, judge_digest: str, labels_digest: str | None
) -> tuple[str, ...]:
    """What has changed since the measurement, in sentences."""
    why = []
    if calibration.judge != judge_digest:
        why.append(
            f"The judge of {rubric.ref} is another one than the one measured on "
            f"{calibration.made_at[:10]} ({calibration.asked}): its model, prompt, parameters or "
            "rubric changed."
        )
    if labels_digest is None:
        why.append(f"The labels that {rubric.ref} was measured against are gone.")
    elif calibration.labels != labels_digest:
        why.append(
            f"The labels of {rubric.ref} changed after its judge was measured on "
            f"{calibration.made_at[:10]}."
        )
    if calibration.drifted is not None:
        drift = calibration.drifted
        why.append(
            f"On {drift.at[:10]} the judge of {rubric.ref} no longer judged as measured: "
            f"{drift.changed} of {drift.n} verdicts changed (p = {drift.p:.2g})."
        )
    return tuple(why)
