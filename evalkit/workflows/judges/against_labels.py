"""A judge's verdicts put beside the labels, for the arithmetic and for the file that keeps them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from evalkit.judge.items import JudgedItem
from evalkit.judge.measuring import measure
from evalkit.records.asset import Rubric
from evalkit.records.calibration import JudgeMeasured
from evalkit.records.label import LabelledItem, labelled_by
from evalkit.workflows.judges.hearing import Verdict


def measure_against(
    items: Sequence[LabelledItem],
    verdicts: Mapping[str, Verdict],
    rubric: Rubric,
    *,
    width_pp: float | None,
) -> JudgeMeasured:
    """Measure the rubric's judge. `verdicts` has one of every item with a truth."""
    graded = rubric.scale.kind == "graded"
    counted = _evened([item for item in items if item.truth is not None])
    judged = [judged_item(item, verdicts[item.id], graded=graded) for item in counted]
    return measure(
        judged,
        floor=rubric.floor,
        scale_bounds=(rubric.scale.lowest, rubric.scale.highest) if graded else None,
        pass_from=rubric.scale.pass_from if graded else None,
        disputed=sum(item.disputed for item in items),
        labelled_by=tuple(sorted(labelled_by(counted))),
        run=None,
        width_pp=width_pp,
    )


def _evened(items: Sequence[LabelledItem]) -> list[LabelledItem]:
    """The items with weights that are 1 in the mean of every sample.

    A weight tells how a sample of one run was drawn, so it compares outputs of that run alone.
    Taken as it is, ten spot checks of a large run would outweigh every other label there is.
    """
    samples: defaultdict[str, list[float]] = defaultdict(list)
    for item in items:
        samples[str(item.source.get("run", ""))].append(item.weight)
    means = {name: sum(weights) / len(weights) for name, weights in samples.items()}
    return [
        msgspec.structs.replace(item, weight=item.weight / means[str(item.source.get("run", ""))])
        for item in items
    ]


def judged_item(item: LabelledItem, verdict: Verdict, *, graded: bool) -> JudgedItem:
    """A label and a verdict on one output, as the arithmetic takes them.

    First and second labeller are those of the two names that come first; an adjudication is the
    label of neither. The item has a truth.
    """
    assert item.truth is not None, "only items with a truth are measured"
    said = {each.labeller: each.passed for each in item.labels if each.round == "label"}
    own = [said[name] for name in sorted(said)]
    arm = item.source.get("variant")
    return JudgedItem(
        truth=item.truth,
        verdict=verdict.passed,
        score=verdict.score if graded else None,
        weight=item.weight,
        part=item.part,
        first=own[0] if own else None,
        second=own[1] if len(own) > 1 else None,
        arm=arm if isinstance(arm, str) else None,
    )


def kept_verdicts(
    rubric: Rubric, verdicts: Mapping[str, Verdict]
) -> dict[str, bool | float | None]:
    """By id, sorted: the score of a graded scale, the verdict of any other."""
    kept: dict[str, bool | float | None] = {}
    for id_ in sorted(verdicts):
        verdict = verdicts[id_]
        scored = rubric.scale.kind == "graded" and verdict.score is not None
        kept[id_] = verdict.score if scored else verdict.passed
    return kept
