"""A judge held against labels: everything that calibration tells, put together."""

import math
from collections.abc import Sequence

import msgspec

from evalkit.judge.agreement import judge_agreement, labeller_agreement
from evalkit.judge.errors import (
    confusion_of,
    error_rates,
    rate_shares,
    weighted_rate,
    without_verdict,
)
from evalkit.judge.fitness import why_unfit
from evalkit.judge.items import ErrorRates, JudgedItem, with_threshold
from evalkit.judge.needs import missing_labels, missing_of_run
from evalkit.judge.rates import correct_rates
from evalkit.judge.reliability import measure_reliability
from evalkit.judge.threshold import best_threshold
from evalkit.records.asset import CalibrationFloor
from evalkit.records.calibration import CorrectedRate, JudgeMeasured, LabelCounts
from evalkit.records.label import LabellerKind

_MAKERS_ORDER: tuple[LabellerKind, ...] = ("person", "model", "rule")


class RunCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge said of all outputs of a run, whose pass rate is to be corrected.

    `passed` of `judged` outputs with a verdict passed. `sampled_from_run` says that the labels of
    the test part are a sample of these very outputs. `scores` are a graded judge's, one an output:
    with them both counts are taken at the threshold of the calibration instead.
    """

    judged: int
    passed: int
    sampled_from_run: bool = False
    scores: Sequence[float] | None = None


def measure(
    items: Sequence[JudgedItem],
    *,
    floor: CalibrationFloor,
    scale_bounds: tuple[float, float] | None = None,
    pass_from: float | None = None,
    disputed: int = 0,
    labelled_by: tuple[LabellerKind, ...] = (),
    run: RunCounts | None = None,
    width_pp: float | None = None,
) -> JudgeMeasured:
    """Measure a judge on the test part of its labels; the tuning part chooses and fits.

    `scale_bounds` are the ends of a graded scale, None for a judge of verdicts. A score passes from
    `pass_from` on, or without it from the threshold that has the largest J on the tuning part.
    Labellers are held against each other on both parts, `disputed` items among them.

    Without a `run` the pass rate that the judge gives the test items themselves is corrected, as
    that of a later run would be. `missing_labels` is about the interval of the rate that applies
    (`width_pp` wide, in percentage points).

    Raises ValueError for a weight that is not above 0, a score that is no number, or a width that
    is not above 0.
    """
    _check(items, width_pp)
    graded = scale_bounds is not None
    threshold = None
    if scale_bounds is not None:
        threshold = best_threshold(items, *scale_bounds) if pass_from is None else pass_from
        items = _verdicts(items, threshold)
    test = [item for item in items if item.part == "test"]
    judged = [item for item in test if item.verdict is not None]
    rates = error_rates(test)
    tpr, tnr, youden = (None, None, None) if rates is None else rate_shares(rates)
    counted = _counts(test, run, threshold)
    corrected = _corrected(test, counted, of_labelled=run is None)
    measured = JudgeMeasured(
        counts=_label_counts(items, disputed),
        labelled_by=tuple(each for each in _MAKERS_ORDER if each in labelled_by),
        confusion=confusion_of(test),
        tpr=tpr,
        tnr=tnr,
        youden=youden,
        agreement=judge_agreement(test),
        ceiling=labeller_agreement(items, disputed),
        abstained=without_verdict(test),
        threshold=threshold,
        reliability=measure_reliability(items) if graded else None,
        rates=corrected,
        width_pp=width_pp,
        missing_labels=None
        if width_pp is None or rates is None or counted is None
        else _missing(
            rates, corrected, counted, width_pp / 100, labels=len(judged), grows=run is None
        ),
    )
    why = why_unfit(measured, floor, graded=graded)
    return msgspec.structs.replace(measured, fit=not why, why=why)


def _check(items: Sequence[JudgedItem], width_pp: float | None) -> None:
    for item in items:
        if not (item.weight > 0 and math.isfinite(item.weight)):
            raise ValueError(f"a label's weight is a number above 0, not {item.weight}")
        if item.score is not None and not math.isfinite(item.score):
            raise ValueError(f"a score is a number, not {item.score}")
    if width_pp is not None and not width_pp > 0:
        raise ValueError(f"the width of an interval is above 0, not {width_pp} pp")


def _verdicts(items: Sequence[JudgedItem], threshold: float | None) -> list[JudgedItem]:
    """Of a graded judge: verdicts are made of scores, so without a threshold scores have none."""
    if threshold is not None:
        return with_threshold(items, threshold)
    return [
        item if item.score is None else msgspec.structs.replace(item, verdict=None)
        for item in items
    ]


def _label_counts(items: Sequence[JudgedItem], disputed: int) -> LabelCounts:
    def number(part: str, truth: bool) -> int:
        return sum(1 for item in items if item.part == part and item.truth is truth)

    return LabelCounts(
        tuning_passes=number("tuning", True),
        tuning_fails=number("tuning", False),
        test_passes=number("test", True),
        test_fails=number("test", False),
        double=sum(1 for item in items if item.first is not None and item.second is not None),
        disputed=disputed,
    )


def _counts(
    test: Sequence[JudgedItem], run: RunCounts | None, threshold: float | None
) -> RunCounts | None:
    """What there is to correct; None where nothing was judged."""
    if run is None:
        passes = [item.weight for item in test if item.verdict is True]
        fails = [item.weight for item in test if item.verdict is False]
        seen = weighted_rate(passes, fails)
        if seen is None:
            return None
        # counts that give the weighted rate its own variance
        judged = max(1, round(seen[1]))
        return RunCounts(judged=judged, passed=round(seen[0] * judged))
    if run.scores is not None and threshold is not None:
        passed = sum(1 for score in run.scores if score >= threshold)
        run = msgspec.structs.replace(run, judged=len(run.scores), passed=passed)
    return run if run.judged else None


def _corrected(
    test: Sequence[JudgedItem], counted: RunCounts | None, *, of_labelled: bool
) -> tuple[CorrectedRate, ...]:
    if counted is None:
        return ()
    rates = correct_rates(
        test,
        judged=counted.judged,
        passed=counted.passed,
        sampled_from_run=counted.sampled_from_run,
        scores=counted.scores,
    )
    if not of_labelled:
        return rates
    graded = any(item.score is not None for item in test)
    return tuple(_of_labelled(rate, graded=graded) for rate in rates)


def _of_labelled(rate: CorrectedRate, *, graded: bool) -> CorrectedRate:
    """The reasons where the corrected outputs are the labelled ones."""
    if rate.method == "ppi" and graded:
        why = "It is for the scores of a run of which a sample is labelled."
    elif rate.method == "post_stratified" and rate.rate is not None:
        why = (
            "It is for a run of which a sample is labelled; these outputs are all labelled, so it "
            "only says what the labels say."
        )
    elif rate.method == "rogan_gladen" and rate.applies:
        why = "It takes out how often the judge errs, as in every later run."
    else:
        return rate
    return msgspec.structs.replace(rate, why=why)


def _missing(
    rates: ErrorRates,
    corrected: Sequence[CorrectedRate],
    counted: RunCounts,
    width: float,
    *,
    labels: int,
    grows: bool,
) -> int | None:
    """How many labels until the rate that applies has an interval of `width` (fraction)."""
    applied = next((each for each in corrected if each.applies), None)
    if applied is None or applied.rate is None:
        return None
    share = applied.rate
    # an estimate that was cut at 0 or 1 may have an interval cut to nothing
    if share.upper - share.lower <= width and 0 < share.value < 1:
        return 0
    if applied.method != "rogan_gladen":
        return missing_of_run(share, width, labels=labels, judged=counted.judged)
    seen = counted.passed / counted.judged
    return missing_labels(rates, seen, width, judged=counted.judged, judged_grows=grows)
