"""Whether a judge may gate today: its calibration held against who would judge now.

Nothing is taken from the stored figures: they are worked out again from the stored verdicts and the
labels, so that an edited file vouches for nobody.
"""

from collections.abc import Iterator, Mapping, Sequence

from evalkit.judge.fitness import why_unfit
from evalkit.records.asset import Rubric
from evalkit.records.calibration import Calibration, JudgeMeasured, JudgeStanding
from evalkit.records.judgment import RecordedVerdict
from evalkit.records.label import LabelledItem
from evalkit.sources.calibrations import calibration_path
from evalkit.sources.labels import labels_digest
from evalkit.workflows.judges.against_labels import measure_against
from evalkit.workflows.judges.hearing import Verdict


def standing_of(
    rubric: Rubric,
    calibration: Calibration | None,
    labels: Sequence[LabelledItem],
    *,
    judge_digest: str,
    recorded: Mapping[str, RecordedVerdict] | None = None,
) -> JudgeStanding:
    """The standing of a rubric's judge.

    `labels` are those beside the rubric now, `judge_digest` is of the judge that would be asked
    now, `recorded` are its verdicts where nobody is asked. The floor is the rubric's of today, so
    one that was raised after the measurement holds.
    """
    if calibration is None:
        return JudgeStanding(
            standing="uncalibrated",
            why=(f"Nobody has measured how often the judge of {rubric.ref} is wrong.",),
        )
    stale = _changes(rubric, calibration, judge_digest, labels)
    if recorded is not None:
        stale = (*stale, *_other_verdicts(rubric, calibration, recorded))
    measured = calibration.measured
    unfit: tuple[str, ...] = ()
    if not stale:
        measured = _measured_again(rubric, calibration, labels)
        if not _alike(measured, calibration.measured):
            stale = (
                f"The figures in {calibration_path(rubric)} do not follow from its verdicts and "
                "the labels: it was edited, or another version of evalkit made it.",
            )
        else:
            unfit = why_unfit(measured, rubric.floor, graded=rubric.scale.kind == "graded")
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


def _measured_again(
    rubric: Rubric, calibration: Calibration, labels: Sequence[LabelledItem]
) -> JudgeMeasured:
    verdicts = {
        item.id: _verdict(calibration.verdicts.get(item.id))
        for item in labels
        if item.truth is not None
    }
    return measure_against(labels, verdicts, rubric, width_pp=calibration.measured.width_pp)


def _verdict(kept: bool | float | None) -> Verdict:
    """A verdict as a calibration keeps it: of what is no verdict only that it is none."""
    if kept is None:
        return Verdict(state="abstained")
    if isinstance(kept, bool):
        return Verdict(state="judged", passed=kept)
    return Verdict(state="judged", score=kept)


def _alike(one: JudgeMeasured, other: JudgeMeasured) -> bool:
    """Whether two measurements say the same of the judge's errors, but for rounding."""
    for a, b in ((one.tpr, other.tpr), (one.tnr, other.tnr)):
        if a is None or b is None:
            if a is not b:
                return False
        elif abs(a.value - b.value) > 1e-9 or abs(a.n - b.n) > 1e-6:
            return False
    return one.threshold == other.threshold and abs(one.abstained - other.abstained) < 1e-9


def _other_verdicts(
    rubric: Rubric, calibration: Calibration, recorded: Mapping[str, RecordedVerdict]
) -> Iterator[str]:
    """Recorded verdicts on labelled outputs that are no longer those that were measured."""
    graded = rubric.scale.kind == "graded"
    changed = 0
    for name, kept in calibration.verdicts.items():
        said = recorded.get(name)
        now: bool | float | None = None
        if said is not None:
            now = said.score if graded else said.passed
        changed += now != kept
    if changed:
        yield (
            f"{changed} of the {len(calibration.verdicts)} verdicts in {rubric.recorded} by which "
            f"the judge of {rubric.ref} was measured are others now."
        )


def _changes(
    rubric: Rubric, calibration: Calibration, judge_digest: str, labels: Sequence[LabelledItem]
) -> tuple[str, ...]:
    """What has changed since the measurement, in sentences."""
    why = []
    if calibration.rubric != rubric.ref:
        why.append(f"The calibration beside {rubric.ref} is one of {calibration.rubric}.")
    if calibration.judge != judge_digest:
        why.append(
            f"The judge of {rubric.ref} is another one than the one measured on "
            f"{calibration.made_at[:10]} ({calibration.asked}): its model, prompt, parameters or "
            "rubric changed."
        )
    if not labels:
        why.append(f"The labels that {rubric.ref} was measured against are gone.")
    elif calibration.labels != labels_digest(labels):
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
