"""The looks of a gate that escalates: when it looks, how it decides, and whether to look again.

Looking several times errs more often than looking once, so each look has a share of alpha and the
shares add up to it (Bonferroni over the looks). A look counts every trial so far; cases are what
limits it, so no number of trials makes up for too few of them.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec

from evalkit.gate.amounts import Amount, exact
from evalkit.gate.cases import CaseResult
from evalkit.gate.power import ESCALATION_LOOKS, minimum_cases
from evalkit.gate.settings import GateSettings
from evalkit.gate.suite import combine_parts, decide_suite
from evalkit.gate.wording import count
from evalkit.records.verdict import Look, Outcome, PartVerdict, SuiteVerdict

Revise = Callable[[SuiteVerdict], SuiteVerdict]
Further = Callable[[int, GateSettings], Sequence[PartVerdict]]
_TOTAL = sum((exact(alpha) for _, alpha in ESCALATION_LOOKS), Fraction(0))
# what more trials can narrow; a floor and an invariant are facts about the trials there are
_STATISTICAL = ("drop", "anchor", "slice_drop", "metric", "judge")


class MinimumCases(msgspec.Struct, frozen=True):
    """The fewest independent cases that can pass: at the first look, and at the most lenient."""

    first: int
    smallest: int


def plan_looks(
    *,
    trials: int,
    alpha: float,
    max_trials: int,
    groups: int | None = None,
    margin: Amount | None = None,
) -> tuple[Look, ...]:
    """The looks at 1, 2 and 4 times `trials`, as far as `max_trials` times `trials` allows.

    They have 0.2, 0.3 and 0.5 of `alpha`, the last of fewer looks all that is left. A single look
    is no plan: empty, for one look with the whole of alpha. So it is where `groups` independent
    cases are given that could pass `margin` (a fraction) at none of the looks: the whole of alpha
    asks for fewer.

    Raises ValueError for counts below 1 or alpha outside (0, 0.5).
    """
    if trials < 1 or max_trials < 1:
        raise ValueError(f"looks need at least one trial, not {min(trials, max_trials)}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is the error at each end, between 0 and 0.5, not {alpha}")
    steps = [(times, exact(share)) for times, share in ESCALATION_LOOKS if times <= max_trials]
    if len(steps) < 2:
        return ()
    left = exact(alpha)
    looks = []
    for times, share in steps[:-1]:
        own = exact(alpha) * share / _TOTAL
        left -= own
        looks.append(Look(trials=times * trials, alpha=float(own)))
    looks.append(Look(trials=steps[-1][0] * trials, alpha=float(left)))
    if groups is None or margin is None:
        return tuple(looks)
    enough = groups >= minimum_cases_of(looks, margin, alpha).smallest
    return tuple(looks) if enough else ()


def minimum_cases_of(looks: Sequence[Look], margin: Amount, alpha: float) -> MinimumCases:
    """How many independent cases a margin (a fraction) asks for; `alpha` is for no looks.

    Raises ValueError for a margin outside (0, 1).
    """
    minima = [minimum_cases(margin, look.alpha) for look in looks]
    minima = minima or [minimum_cases(margin, alpha)]
    return MinimumCases(first=minima[0], smallest=min(minima))


def decide_looks(
    suite: str,
    cases_at: Callable[[int], Sequence[CaseResult]],
    settings: GateSettings,
    looks: Sequence[Look],
    reached: int,
    *,
    further_parts: Further | None = None,
    revise: Revise | None = None,
) -> SuiteVerdict:
    """Take the looks up to `reached` trials in order and stop where another cannot settle more.

    `cases_at(k)` are the cases after k trials. The first look is taken even if it was not reached:
    what is missing is unknown. No looks at all are one, at `reached` trials with the whole of
    alpha. `further_parts(k, settings)` are parts after k trials that rest on something else than
    whether cases passed, as a judge's do. `revise` is applied to the verdict of every look before
    it is judged, for the guards and waivers of the suite. Pure, so a stored run is decided again as
    it was.

    Raises ValueError as `decide_suite` does.
    """
    revise = revise or _unchanged

    def decide(trials: int, settings: GateSettings) -> SuiteVerdict:
        verdict = decide_suite(suite, cases_at(trials), settings)
        if further_parts is not None:
            parts = (*verdict.parts, *further_parts(trials, settings))
            verdict = verdict.revised(parts=parts, outcome=combine_parts(parts))
        return revise(verdict)

    if not looks:
        return decide(reached, settings)
    whole = [look for look in looks if look.trials <= reached] or [looks[0]]
    taken: list[Look] = []
    for look in whole:
        at_look = msgspec.structs.replace(settings, alpha=look.alpha)
        verdict = decide(look.trials, at_look)
        taken.append(msgspec.structs.replace(look, outcome=verdict.outcome))
        later = [other for other in looks if other.trials > look.trials]
        further = bool(later) and more_trials_help(verdict, later)
        if not further:
            break
    parts = verdict.parts
    if further:
        parts = tuple(_further(part, later) for part in parts)
    elif later:
        parts = tuple(_never(part, later, settings.alpha) for part in parts)
    note = _note(taken, looks, settings.alpha)
    return verdict.revised(looks=tuple(taken), parts=parts, notes=(note, *verdict.notes))


def more_trials_help(verdict: SuiteVerdict, looks: Sequence[Look] = ()) -> bool:
    """Whether further trials of every case may settle this suite.

    Only for an inconclusive suite where nothing required fails or is held, and where the
    statistics (not a missing result, or a value that was not measured) leave open a part that has
    enough independent cases at one of the `looks` still to come. Without `looks` the number of
    cases is not asked. What somebody accepted is settled.
    """
    required = [part for part in verdict.parts if part.required and part.waiver is None]
    if verdict.outcome is not Outcome.INCONCLUSIVE:
        return False
    if any(part.outcome is Outcome.FAIL for part in required):
        return False
    # nothing that more trials show can make a held suite pass, and they cost money
    if any(part.held and part.outcome is Outcome.INCONCLUSIVE for part in required):
        return False
    last = verdict.looks[-1].trials if verdict.looks else 0
    later = [look for look in looks if look.trials > last]
    if looks and not later:
        return False
    return any(_narrows(part) and _can_conclude(part, later) for part in required)


def _narrows(part: PartVerdict) -> bool:
    """Whether the part is open because its interval is too wide, whatever is unknown."""
    return (
        part.kind in _STATISTICAL
        and not part.held
        and part.outcome is Outcome.INCONCLUSIVE
        # with everything unknown counted for the candidate: else a result is what is lacking
        and part.best is Outcome.INCONCLUSIVE
        and part.estimate is not None
    )


def _can_conclude(part: PartVerdict, later: Sequence[Look]) -> bool:
    # an amount has no table: it has an estimate only where its cases are enough at any alpha
    if not later or part.counts is None or part.margin is None:
        return True
    return part.counts.groups >= minimum_cases_of(later, part.margin, later[0].alpha).smallest


def _further(part: PartVerdict, later: Sequence[Look]) -> PartVerdict:
    if not (_narrows(part) and _can_conclude(part, later)):
        return part
    look = count(later[0].trials, "trial")
    more = f"The gate can look again at {look} a case, which was not reached."
    return part.revised(what_would_settle=f"{part.what_would_settle or ''} {more}".strip())


def _never(part: PartVerdict, later: Sequence[Look], alpha: float) -> PartVerdict:
    """The part with how many cases it takes where it has too few for any look."""
    if not _narrows(part) or part.margin is None or _can_conclude(part, later):
        return part
    fewest = minimum_cases_of(later, part.margin, alpha).smallest
    once = minimum_cases(part.margin, alpha)
    more = (
        f"No further look would tell: the most lenient needs {fewest:,} cases. Looking once "
        f"(max_trials: 1) needs {once:,}."
    )
    return part.revised(what_would_settle=f"{part.what_would_settle or ''} {more}".strip())


def _note(taken: Sequence[Look], looks: Sequence[Look], alpha: float) -> str:
    last = taken[-1]
    return (
        f"Look {len(taken)} of {len(looks)} decided, at {count(last.trials, 'trial')} a case with "
        f"alpha {last.alpha:g} of the {alpha:g} that all looks share."
    )


def _unchanged(verdict: SuiteVerdict) -> SuiteVerdict:
    return verdict
