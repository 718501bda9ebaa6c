"""Whether a judge may gate: what it has to show against labels, and the reasons it may not."""

from collections.abc import Callable, Sequence
from typing import Literal

from evalkit.records.asset import CalibrationFloor
from evalkit.records.calibration import JudgeMeasured, Share
from evalkit.records.label import LabellerKind

DOUBLE_LABELS = 30
TUNING_LABELS = 30
_DIGITS = range(1, 7)
_MAKERS: dict[LabellerKind, str] = {"person": "people", "model": "a model", "rule": "a rule"}


def why_unfit(
    measured: JudgeMeasured, floor: CalibrationFloor, *, graded: bool = False
) -> tuple[str, ...]:
    """Each reason why the judge may not gate, as a sentence or two; none for a fit judge.

    Lower ends of 95 % intervals are held against the floor as they are, unrounded. Numbers of
    labels are plain counts of the test part, with or without a verdict. `graded` says that verdicts
    are made of scores, which takes a threshold.
    """
    why = [*_whose(measured, floor), *_too_few(measured, floor)]
    counts = measured.counts
    if not counts.test_passes + counts.test_fails:
        return tuple(why)
    if _none_judged(measured):
        return (*why, _no_verdicts(measured, graded))
    why += _errors(measured, floor)
    if measured.abstained > floor.max_abstained:
        most = floor.max_abstained
        why.append(
            f"It gave no verdict on {_apart(measured.abstained, most)} of the test outputs; at "
            f"most {_percent(most)} is allowed."
        )
    return tuple(why)


def notes(measured: JudgeMeasured, *, graded: bool = False) -> tuple[str, ...]:
    """What a reader should know of the labels that does not make the judge unfit, in sentences."""
    told = []
    ceiling, counts = measured.ceiling, measured.counts
    double = 0 if ceiling is None else ceiling.n
    if ceiling is not None:
        told.append(
            f"Two labellers agree on {_percent(ceiling.raw)} of the {_count(double, 'output')} "
            "that both labelled: more agreement with the labels cannot be expected of a judge."
        )
    if double < DOUBLE_LABELS:
        told.append(
            f"{_number(double, 'output is', 'outputs are')} labelled twice; at least "
            f"{DOUBLE_LABELS} are advised, to see how far labellers agree themselves."
        )
    if counts.disputed:
        verb = "awaits" if counts.disputed == 1 else "await"
        told.append(
            f"{_count(counts.disputed, 'output')} {verb} a decision between labels that differ; "
            "until then only the agreement of labellers counts that."
        )
    tuning = counts.tuning_passes + counts.tuning_fails
    if graded and measured.threshold is not None and 0 < tuning < TUNING_LABELS:
        told.append(
            f"Only {_count(tuning, 'label')} could choose the threshold; with {TUNING_LABELS} or "
            "more it would depend less on chance."
        )
    if measured.labelled_by and not measured.human:
        told.append(f"The labels were made by {makers(measured.labelled_by)}, not by people alone.")
    return tuple(told)


def makers(labelled_by: Sequence[LabellerKind]) -> str:
    """Who made labels, for a sentence: 'people', 'a model', 'people and a rule'."""
    named = [_MAKERS[each] for each in labelled_by]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _whose(measured: JudgeMeasured, floor: CalibrationFloor) -> list[str]:
    others: list[LabellerKind] = [each for each in measured.labelled_by if each != "person"]
    if floor.labelled_by == "anyone" or not others:
        return []
    part = "The" if len(others) == len(measured.labelled_by) else "Some of the"
    return [
        f"{part} labels were made by {makers(others)}; this rubric counts labels of people only "
        "(calibration.labelled_by)."
    ]


def _too_few(measured: JudgeMeasured, floor: CalibrationFloor) -> list[str]:
    counts = measured.counts
    kinds: list[tuple[int, int, Literal["pass", "fail"]]] = [
        (counts.test_passes, floor.min_passes, "pass"),
        (counts.test_fails, floor.min_fails, "fail"),
    ]
    return [
        f"{_number(found, 'test label says', 'test labels say')} {kind}; at least {wanted} have "
        f"to, so {wanted - found} more of them {'is' if wanted - found == 1 else 'are'} needed."
        for found, wanted, kind in kinds
        if found < wanted
    ]


def _none_judged(measured: JudgeMeasured) -> bool:
    cells = measured.confusion
    return not cells.true_pass + cells.false_fail + cells.false_pass + cells.true_fail


def _no_verdicts(measured: JudgeMeasured, graded: bool) -> str:
    counts = measured.counts
    test = _count(counts.test_passes + counts.test_fails, "test output")
    if not graded or measured.threshold is not None or measured.abstained == 1:
        return f"It has no verdict on any of the {test}, so nothing is known of its errors."
    missing = [
        kind
        for kind, found in (("pass", counts.tuning_passes), ("fail", counts.tuning_fails))
        if not found
    ]
    lack = f"no tuning label says {' or '.join(missing)}" if missing else "scores are missing"
    return (
        f"From which score on it passes cannot be chosen, because {lack}. Label such outputs in "
        "the tuning part, or give scale.pass_from in the rubric."
    )


def _errors(measured: JudgeMeasured, floor: CalibrationFloor) -> list[str]:
    tpr, tnr, youden = measured.tpr, measured.tnr, measured.youden
    if tpr is None or tnr is None or youden is None:
        return _unknown_errors(measured)
    why = []
    if tpr.lower < floor.min_tpr:
        why.append(_short_of(tpr, floor.min_tpr, "It passes {} of the good outputs (TPR)"))
    if tnr.lower < floor.min_tnr:
        why.append(_short_of(tnr, floor.min_tnr, "It fails {} of the bad outputs (TNR)"))
    if youden.lower < floor.min_j:
        if youden.value <= 0:
            why.append(
                "It does not tell good outputs from bad ones better than chance: of a true "
                f"difference it shows {_percent(youden.value)} (J = TPR + TNR - 1); at least "
                f"{_percent(floor.min_j)} is required."
            )
        else:
            shows = "It shows {} of a true difference (J = TPR + TNR - 1)"
            why.append(_short_of(youden, floor.min_j, shows))
    return why


def _unknown_errors(measured: JudgeMeasured) -> list[str]:
    counts, cells = measured.counts, measured.confusion
    kinds = (
        ("good", counts.test_passes, cells.true_pass + cells.false_fail),
        ("bad", counts.test_fails, cells.false_pass + cells.true_fail),
    )
    return [
        f"It has no verdict on any of the {labelled:,} test outputs that the labels call {kind}, "
        "so nothing is known of its errors there."
        if labelled
        else f"No test output is called {kind} by the labels, so nobody knows how it judges those."
        for kind, labelled, judged in kinds
        if not judged
    ]


def _short_of(share: Share, floor: float, says: str) -> str:
    """What was seen, how little it may be, what is required; and whether labels may yet help."""
    seen, least = says.format(_apart(share.value, floor)), _percent(floor)
    lower = _apart(share.lower, floor)
    if share.value <= floor:
        return f"{seen}, perhaps only {lower}; at least {least} is required."
    return (
        f"{seen}, but by these labels it may be only {lower}; at least {least} has to be sure. "
        "More labels may show that it is."
    )


def _percent(share: float) -> str:
    return f"{_short(1)(100 * share)} %"


def _apart(share: float, bound: float) -> str:
    """A percentage with as many digits as it takes to differ from the bound it misses."""
    for digits in _DIGITS:
        short = _short(digits)
        if short(100 * share) != short(100 * bound):
            return f"{short(100 * share)} %"
    return f"just {'under' if share < bound else 'over'} {_percent(bound)}"


def _short(digits: int) -> Callable[[float], str]:
    # + 0.0 turns a rounded -0.0 into 0.0
    return lambda number: f"{round(number, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")


def _count(number: int, noun: str) -> str:
    return _number(number, noun, f"{noun}s")


def _number(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}" if number else f"No {more}"
