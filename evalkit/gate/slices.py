"""Slices: the same questions about the cases that carry a tag.

Required slices all have to pass, so their passes need no correction; asking many of them makes a
false FAIL likelier, so those go through Holm. Advisory slices go through Benjamini-Hochberg and
never gate.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence

from evalkit.gate.cases import CaseResult
from evalkit.gate.drops import DropMeasurement, DropQuestion, describe_drop, measure_drop
from evalkit.gate.floors import decide_arm_floor
from evalkit.gate.multiplicity import benjamini_hochberg, holm
from evalkit.gate.rules import DropDecision
from evalkit.gate.samples import ArmTally, PairedTally, tally_arm, tally_pairs
from evalkit.gate.settings import GateSettings, Rule, floor_of
from evalkit.records.verdict import Outcome, PartVerdict

Adjust = Callable[[Sequence[float]], list[float]]


def decide_slices(cases: Sequence[CaseResult], settings: GateSettings) -> list[PartVerdict]:
    """The parts of every slice, required ones first; a slice without cases is NOT_MEASURED."""
    if not settings.slices:
        return []
    parts: list[PartVerdict] = []
    pairs = tally_pairs(cases) if settings.has_baseline else None
    candidate = pairs.candidate if pairs else tally_arm(case.candidate for case in cases)
    rows = _rows(cases, settings)
    for required, adjust in ((True, holm), (False, benjamini_hochberg)):
        tags = [tag for tag, rules in settings.slices.items() if rules.required is required]
        if pairs is not None:
            parts += _drops(tags, rows, pairs, settings, adjust, required=required)
        parts += _floors(tags, rows, candidate, settings, required=required)
    return parts


def _rows(cases: Sequence[CaseResult], settings: GateSettings) -> dict[str, "array[int]"]:
    """The positions of each slice's cases."""
    rows = {tag: array("l") for tag in settings.slices}
    for i, case in enumerate(cases):
        for tag in dict.fromkeys(case.tags):
            if tag in rows:
                rows[tag].append(i)
    return rows


def _drops(
    tags: Sequence[str],
    rows: Mapping[str, Sequence[int]],
    pairs: PairedTally,
    settings: GateSettings,
    adjust: Adjust,
    *,
    required: bool,
) -> list[PartVerdict]:
    asked: list[tuple[DropQuestion, DropMeasurement]] = []
    for tag in tags:
        margin = settings.slice_margin(tag)
        if margin is None:
            continue
        question = DropQuestion(
            name=f"slice:{tag} drop",
            kind="slice_drop",
            where=f"The pass rate of slice {tag}",
            margin=margin,
            alpha=settings.alpha,
            rule=settings.rule,
            required=required,
            owner=settings.owner,
            hold_signal=settings.on_inconclusive == "warn",
        )
        asked.append((question, measure_drop(question, pairs.select(rows[tag]))))
    best = _corrected([measured.best for _, measured in asked], settings, adjust)
    worst = _corrected([measured.worst for _, measured in asked], settings, adjust)
    return [
        describe_drop(question, measured, best=at_best, worst=at_worst, adjusted_p=p)
        for (question, measured), (at_best, p), (at_worst, _) in zip(
            asked, best, worst, strict=True
        )
    ]


def _corrected(
    decisions: Sequence[DropDecision], settings: GateSettings, adjust: Adjust
) -> list[tuple[Outcome, float]]:
    """Outcomes with the FAILs that the correction does not bear out made inconclusive."""
    adjusted = adjust([decision.interval.p_value for decision in decisions])
    outcomes = []
    for decision, p in zip(decisions, adjusted, strict=True):
        by_chance = decision.outcome is Outcome.FAIL and p >= settings.alpha
        demoted = by_chance and settings.rule is not Rule.SIMPLE
        outcomes.append((Outcome.INCONCLUSIVE if demoted else decision.outcome, p))
    return outcomes


def _floors(
    tags: Sequence[str],
    rows: Mapping[str, Sequence[int]],
    candidate: ArmTally,
    settings: GateSettings,
    *,
    required: bool,
) -> list[PartVerdict]:
    parts = []
    for tag in tags:
        floor = floor_of(settings.slices[tag].min_pass_rate)
        if floor is not None:
            parts.append(
                decide_arm_floor(
                    f"slice:{tag} floor",
                    "slice_floor",
                    f"Slice {tag}",
                    candidate.select(rows[tag]),
                    floor,
                    settings.alpha,
                    required=required,
                    owner=settings.owner,
                )
            )
    return parts
