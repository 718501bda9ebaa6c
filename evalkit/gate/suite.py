"""One suite: every part it requires, and the outcome they add up to."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from evalkit.gate.cases import CaseResult, DistinctCases
from evalkit.gate.drops import DropQuestion, describe_drop, measure_drop
from evalkit.gate.floors import decide_floor
from evalkit.gate.headroom import check_headroom
from evalkit.gate.invariants import decide_invariant
from evalkit.gate.metrics import decide_metric
from evalkit.gate.power import simple_false_alarm
from evalkit.gate.quarantine import all_quarantined, counted_cases, quarantine_warning
from evalkit.gate.samples import tally_pairs
from evalkit.gate.settings import GateSettings, Rule
from evalkit.gate.slices import decide_slices
from evalkit.gate.unknowns import UnknownCount, count_unknown
from evalkit.gate.wording import count, percent
from evalkit.records.verdict import Outcome, PairedCounts, PartVerdict, SuiteVerdict


def decide_suite(suite: str, cases: Sequence[CaseResult], settings: GateSettings) -> SuiteVerdict:
    """Decide `suite` on its cases; pure, and the same for the same input.

    Cases in quarantine are left out of everything but invariants: `planned` and `unknown` of the
    verdict count the others, so `planned` and the quarantined together are all `cases`.

    Raises ValueError when a case id occurs twice.
    """
    if not isinstance(cases, DistinctCases):
        repeated = [case for case, times in Counter([c.case for c in cases]).items() if times > 1]
        if repeated:
            raise ValueError(f"suite {suite}: case {repeated[0]!r} is given more than once")
    counting, quarantined = counted_cases(cases, settings)
    parts = _parts(counting, settings)
    parts += [decide_invariant(name, cases, owner=settings.owner) for name in settings.invariants]
    if quarantined and not counting:
        parts.insert(0, all_quarantined(settings.owner))
    unknown = count_unknown(
        counting,
        has_baseline=settings.has_baseline,
        has_anchor=settings.anchor_margin is not None,
    )
    if unknown.share > settings.error_share:
        parts = [_incomplete(part, unknown, len(counting), settings) for part in parts]
    warnings = _warnings(parts, unknown, len(counting), settings)
    if quarantined:
        warnings = (quarantine_warning(quarantined), *warnings)
    return SuiteVerdict(
        suite=suite,
        outcome=combine_parts(parts),
        parts=tuple(parts),
        unknown=unknown.cases,
        planned=len(counting),
        on_inconclusive=settings.on_inconclusive,
        notes=_notes(settings),
        warnings=warnings,
        owner=settings.owner,
        quarantined=quarantined,
    )


def add_parts(verdict: SuiteVerdict, parts: Sequence[PartVerdict]) -> SuiteVerdict:
    """The suite with further parts in front, such as a gate that became weaker (`kind` guard).

    A guard should be `held`, so that `on_inconclusive: warn` cannot wave it through.
    """
    together = (*parts, *verdict.parts)
    return verdict.revised(parts=together, outcome=combine_parts(together))


def combine_parts(parts: Sequence[PartVerdict]) -> Outcome:
    """The outcome of the required parts together: the worst of them, an accepted one as passed.

    NOT_MEASURED only when nothing was; a part that was not measured beside others that were makes
    the suite INCONCLUSIVE.
    """
    return combine_outcomes([counted(part, part.outcome) for part in parts if part.required])


def counted(part: PartVerdict, outcome: Outcome) -> Outcome:
    """The `outcome` of a part (or its best or worst) as it counts: PASS where it was accepted."""
    return outcome if part.waiver is None else Outcome.PASS


def combine_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    """The worst outcome; of no outcomes at all, NOT_MEASURED."""
    present = set(outcomes)
    if present <= {Outcome.NOT_MEASURED}:
        return Outcome.NOT_MEASURED
    for outcome in (Outcome.FAIL, Outcome.INCOMPLETE, Outcome.INCONCLUSIVE):
        if outcome in present:
            return outcome
    return Outcome.INCONCLUSIVE if Outcome.NOT_MEASURED in present else Outcome.PASS


def _parts(cases: Sequence[CaseResult], settings: GateSettings) -> list[PartVerdict]:
    """Everything but the invariants."""
    drops = _drops(cases, settings)
    parts = list(drops)
    if settings.floor is not None:
        parts.append(
            decide_floor(
                "floor",
                "floor",
                "The candidate",
                cases,
                settings.floor,
                settings.alpha,
                owner=settings.owner,
            )
        )
    parts += decide_slices(cases, settings)
    if settings.has_baseline:
        metrics = [decide_metric(name, cases, settings) for name in settings.metrics]
        parts += metrics
        drops += [part for part in metrics if part.counts is not None]
    headroom = check_headroom(drops)
    return parts if headroom is None else [headroom, *parts]


def _drops(cases: Sequence[CaseResult], settings: GateSettings) -> list[PartVerdict]:
    """The drop against the baseline and against the anchor, as far as the suite has them."""
    parts = []
    hold = settings.on_inconclusive == "warn"
    if settings.has_baseline and settings.margin is not None:
        question = DropQuestion(
            name="drop",
            kind="drop",
            where="The pass rate",
            margin=settings.margin,
            alpha=settings.alpha,
            rule=settings.rule,
            owner=settings.owner,
            hold_signal=hold,
        )
        parts.append(describe_drop(question, measure_drop(question, tally_pairs(cases))))
    if settings.anchor_margin is not None:
        question = DropQuestion(
            name="anchor drop",
            kind="anchor",
            where="Against the anchor, the pass rate",
            margin=settings.anchor_margin,
            alpha=settings.alpha,
            rule=settings.rule,
            owner=settings.owner,
            hold_signal=hold,
        )
        pairs = tally_pairs(cases, "anchor")
        parts.append(describe_drop(question, measure_drop(question, pairs)))
    return parts


def _incomplete(
    part: PartVerdict, unknown: UnknownCount, planned: int, settings: GateSettings
) -> PartVerdict:
    """The part of a suite with too many errors; a broken invariant was seen and stays broken."""
    if part.kind == "invariant" and part.outcome is Outcome.FAIL:
        return part
    return part.revised(
        outcome=Outcome.INCOMPLETE,
        best=Outcome.INCOMPLETE,
        worst=Outcome.INCOMPLETE,
        message=f"{part.message} {_error_share(unknown, planned, settings)}",
        what_would_settle="Results for the attempts without one: resume the run.",
    )


def _error_share(unknown: UnknownCount, planned: int, settings: GateSettings) -> str:
    return (
        f"{unknown.cases} of {count(planned, 'case')} lack a result ({percent(unknown.share)}), "
        f"more than the {percent(settings.error_share)} allowed, so the run is incomplete."
    )


def _notes(settings: GateSettings) -> tuple[str, ...]:
    if settings.has_baseline:
        return ()
    rest = "floors and invariants alone"
    if settings.anchor_margin is not None:
        rest = "the anchor, floors and invariants"
    return (f"There is no baseline: the verdict rests on {rest}.",)


def _warnings(
    parts: Sequence[PartVerdict], unknown: UnknownCount, planned: int, settings: GateSettings
) -> tuple[str, ...]:
    warnings = []
    if unknown.cases and unknown.share <= settings.error_share:
        warnings.append(
            f"{unknown.cases} of {count(planned, 'case')} lack a result in some attempt; "
            "every part was decided with them counted for and against the candidate."
        )
    for part in parts:
        simple = part.kind in ("drop", "anchor") and settings.rule is Rule.SIMPLE
        margin = settings.margin if part.kind == "drop" else settings.anchor_margin
        if simple and part.counts is not None and margin is not None:
            warnings.append(_simple_warning(part.counts, margin))
    return tuple(warnings)


def _simple_warning(table: PairedCounts, margin: Fraction) -> str:
    flips = (table.b + table.c) / table.cases if table.cases else 0.0
    rate = simple_false_alarm(table.cases, flips, margin)
    return (
        f"The simple rule fails {percent(rate)} of runs in which nothing changed, at "
        f"{count(table.cases, 'case')} of which {percent(flips)} flip; the statistical rule "
        f"tells a regression from noise."
    )
