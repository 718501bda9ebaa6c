"""Why a judge cannot gate in this run, in sentences for somebody who never saw a calibration."""

import msgspec

from evalkit.gate.amounts import exact
from evalkit.gate.wording import count
from evalkit.judge.drift import is_stale
from evalkit.judge.items import ErrorRates
from evalkit.records.calibration import Drift
from evalkit.records.run import JudgeSetting
from evalkit.workflows.judged.equality import RunLabels
from evalkit.workflows.judged.tallying import JudgeTally


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """The reasons against a judge, and what would settle it; no reasons: it may gate."""

    why: tuple[str, ...] = ()
    settle: str | None = None


def reasons_against(
    judge: JudgeSetting,
    tally: JudgeTally,
    labels: RunLabels,
    *,
    drop: bool,
    rates: ErrorRates | None,
) -> Against:
    """What stands against a judge: unmeasured, unfit, silent too often, or unequal to the arms.

    `drop` says that it is about a comparison of arms, which rests on equal errors.
    """
    name = judge.rubric.ref
    calibrate = f"evalkit judge calibrate {name}"
    if not judge.standing.fit or rates is None:
        why = judge.standing.why or ("It has no error rates to correct it with.",)
        return Against(why=why, settle=_way_out(judge, calibrate))
    if is_stale(labels.drift):
        return Against(why=(_drifted(labels.drift),), settle=f"Measure it again: {calibrate}.")
    lost = tally.candidate.without_verdict - tally.candidate.errors
    asked = tally.candidate.judged + lost
    if tally.baseline is not None:
        more = tally.baseline.without_verdict - tally.baseline.errors
        lost, asked = lost + more, asked + more + tally.baseline.judged
    if not asked:
        return _nothing_judged(judge, tally)
    limit = judge.rubric.floor.max_abstained
    if lost > exact(limit) * asked:
        return Against(
            why=(
                f"It gave no verdict on {lost} of {asked} outputs ({lost / asked:.0%}), and at "
                f"most {limit:.0%} may be without one.",
            ),
            settle="A prompt or a model for the judge that answers in the asked form.",
        )
    if drop and labels.equal_errors in ("unverified", "differ"):
        return _unequal(judge, labels)
    return Against()


def _nothing_judged(judge: JudgeSetting, tally: JudgeTally) -> Against:
    errors = sum(arm.errors for arm in (tally.baseline, tally.candidate) if arm is not None)
    if errors:
        return Against(
            why=(f"None of its {count(errors, 'question')} got an answer.",),
            settle="A judge that can be reached: then resume the run.",
        )
    if judge.rubric.compare == "pair":
        return Against(
            why=("No output was compared with the one that it is held against.",),
            settle="A run of both sides: evalkit run.",
        )
    return Against(
        why=("It was asked about nothing that it could judge.",),
        settle="Outputs to judge: look at the attempts' errors first.",
    )


def _drifted(drift: Drift | None) -> str:
    assert drift is not None, "only a drift is stale"
    return (
        f"On this run's own labels it errs otherwise than it did when it was measured: "
        f"{drift.changed} of {drift.n} verdicts are wrong (p = {drift.p:.2g})."
    )


def _way_out(judge: JudgeSetting, calibrate: str) -> str:
    if judge.standing.standing == "unfit":
        return (
            f"A better judge for {judge.rubric.ref} (another model, a clearer prompt), measured "
            f"with {calibrate}; or `gate: false` beside the judge, so that it only informs."
        )
    return f"Measure it: {calibrate}; or `gate: false` beside the judge, so that it only informs."


def _unequal(judge: JudgeSetting, labels: RunLabels) -> Against:
    label = f"evalkit judge label {judge.rubric.ref} --run latest"
    if labels.equal_errors == "differ":
        return Against(
            why=(
                "The labels of this run show that it errs differently on baseline and candidate "
                f"({labels.told}), so one correction for both would be wrong.",
            ),
            settle=(
                f"More labels on both outputs of a case ({label}), which correct the drop case by "
                "case, and then: evalkit gate RUN."
            ),
        )
    told = f" ({labels.told})" if labels.told else ""
    return Against(
        why=(
            "What it judges was changed, and nobody has checked that it errs alike on both "
            f"versions{told}, which its correction rests on.",
        ),
        settle=(
            f"Labels on outputs of both arms ({label}, then evalkit gate RUN), or "
            "`assume_equal_errors: true` in the suite if that may be taken for granted."
        ),
    )
