"""What a judge says as a part of a verdict: its corrected drop, and its corrected floor.

A judge never decides a case. Its part gates only where nothing is held against the judge: it was
measured, it is fit, and it may be taken to err alike on both arms (JUDGED parts say so in words).
"""

from fractions import Fraction

import msgspec

from evalkit.gate.amounts import exact
from evalkit.gate.intervals import DropInterval
from evalkit.gate.rules import judge_drop
from evalkit.gate.settings import Rule
from evalkit.gate.unknowns import reconcile
from evalkit.gate.wording import count, percent, points
from evalkit.records.calibration import Share
from evalkit.records.verdict import Estimate, Judged, JudgedArm, Outcome, PartVerdict


class JudgeQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a judge: `name` is the part's, `alpha` the error at each end.

    `blocked` are whole sentences, each a reason why the judge cannot gate; with any of them the
    part is INCONCLUSIVE whatever was measured, and held: no setting may turn an instrument that
    nobody vouches for into a pass or a failure.
    """

    name: str
    alpha: float
    rule: Rule = Rule.STATISTICAL
    required: bool = True
    owner: str | None = None
    blocked: tuple[str, ...] = ()
    what_would_settle: str | None = None


class CorrectedDrop(msgspec.Struct, frozen=True, kw_only=True):
    """A drop on the scale of the labels (fractions), with its one-sided p, over `groups`."""

    estimate: Estimate
    p_value: float
    groups: int


def decide_judged_drop(
    question: JudgeQuestion,
    margin: Fraction | None,
    judged: Judged,
    *,
    best: CorrectedDrop | None,
    worst: CorrectedDrop | None,
) -> PartVerdict:
    """The part of a judge: whether the pass rate, corrected for its errors, dropped by `margin`.

    `best` and `worst` count outputs without a verdict for and against the candidate; both are None
    where nothing can be corrected, which needs a reason in `blocked`. Without a margin nothing is
    required, so the part reports.
    """
    seen = _seen(judged)
    required = question.required and margin is not None
    if question.blocked or best is None or worst is None:
        return _blocked(question, "judge", seen, judged, required, margin=margin)
    decided_best = _outcome(best, margin, question)
    decided_worst = _outcome(worst, margin, question)
    outcome = reconcile(decided_best, decided_worst)
    estimate = Estimate(
        drop=worst.estimate.drop,
        lower=min(best.estimate.lower, worst.estimate.lower),
        upper=max(best.estimate.upper, worst.estimate.upper),
    )
    lost = judged.candidate.errors + (judged.baseline.errors if judged.baseline else 0)
    return PartVerdict(
        name=question.name,
        kind="judge",
        outcome=outcome,
        best=decided_best,
        worst=decided_worst,
        required=required,
        rule=question.rule.value,
        estimate=estimate,
        margin=None if margin is None else float(margin),
        alpha=question.alpha,
        p_value=max(best.p_value, worst.p_value),
        baseline_rate=_rate(judged.baseline),
        candidate_rate=_rate(judged.candidate),
        candidate_interval=_interval(judged.candidate),
        message=f"{_corrected(judged, estimate)} {_concluded(outcome, estimate, margin)} {seen}",
        what_would_settle=_settle(decided_best, decided_worst, judged)
        if outcome is Outcome.INCONCLUSIVE
        else None,
        # what infrastructure kept from being judged may not be waved through
        held=outcome is Outcome.INCONCLUSIVE and lost > 0,
        unknown=judged.candidate.without_verdict
        + (judged.baseline.without_verdict if judged.baseline else 0),
        owner=question.owner,
        judged=judged,
    )


def decide_judged_floor(
    question: JudgeQuestion,
    floor: Fraction,
    judged: Judged,
    *,
    best: Share | None,
    worst: Share | None,
) -> PartVerdict:
    """Whether the candidate's corrected pass rate reaches `floor`.

    Unlike a measured rate a corrected one is an estimate: PASS takes its whole interval (at error
    `alpha` each end) at or above the floor, FAIL its whole interval below.
    """
    seen = _seen(judged)
    if question.blocked or best is None or worst is None:
        return _blocked(question, "judge_floor", seen, judged, question.required, floor=floor)

    def reaches(share: Share) -> Outcome:
        if share.lower >= floor:
            return Outcome.PASS
        return Outcome.FAIL if share.upper < floor else Outcome.INCONCLUSIVE

    decided_best, decided_worst = reaches(best), reaches(worst)
    outcome = reconcile(decided_best, decided_worst)
    words = {
        Outcome.PASS: "which it reaches",
        Outcome.FAIL: "which it misses",
        Outcome.INCONCLUSIVE: "and the interval reaches across it",
    }
    low, high = min(worst.lower, best.lower), max(worst.upper, best.upper)
    return PartVerdict(
        name=question.name,
        kind="judge_floor",
        outcome=outcome,
        best=decided_best,
        worst=decided_worst,
        required=question.required,
        alpha=question.alpha,
        floor=float(floor),
        candidate_rate=worst.value,
        candidate_interval=(low, high),
        message=(
            f"Judged by {judged.rubric} and corrected for the judge's errors, the candidate passes "
            f"{percent(worst.value)} (interval {percent(low)} to {percent(high)}; "
            f"{_whose(judged)}); {percent(floor)} is required, {words[outcome]}. {seen}"
        ),
        what_would_settle="More labels for the judge's calibration, or more cases."
        if outcome is Outcome.INCONCLUSIVE
        else None,
        held=outcome is Outcome.INCONCLUSIVE and judged.candidate.errors > 0,
        unknown=judged.candidate.without_verdict,
        owner=question.owner,
        judged=judged,
    )


def _outcome(drop: CorrectedDrop, margin: Fraction | None, question: JudgeQuestion) -> Outcome:
    if margin is None:
        return Outcome.PASS
    figures = drop.estimate
    interval = DropInterval(
        drop=figures.drop,
        lower=figures.lower,
        upper=figures.upper,
        p_value=drop.p_value,
        groups=drop.groups,
    )
    return judge_drop(exact(figures.drop), interval, margin, question.alpha, question.rule)


def _blocked(
    question: JudgeQuestion,
    kind: str,
    seen: str,
    judged: Judged,
    required: bool,
    *,
    margin: Fraction | None = None,
    floor: Fraction | None = None,
) -> PartVerdict:
    why = " ".join(question.blocked) or "Nothing was judged."
    effect = (
        "So it cannot decide, and what it requires stays open."
        if required
        else "It is shown for information and decides nothing."
    )
    return PartVerdict(
        name=question.name,
        kind="judge" if kind == "judge" else "judge_floor",
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        worst=Outcome.INCONCLUSIVE,
        required=required,
        margin=None if margin is None else float(margin),
        floor=None if floor is None else float(floor),
        alpha=question.alpha,
        baseline_rate=_raw_rate(judged.baseline),
        candidate_rate=_raw_rate(judged.candidate),
        message=f"{why} {effect} {seen}",
        what_would_settle=question.what_would_settle if required else None,
        held=required,
        unknown=judged.candidate.without_verdict
        + (judged.baseline.without_verdict if judged.baseline else 0),
        owner=question.owner,
        judged=judged,
    )


def _seen(judged: Judged) -> str:
    """What the judge said, before any correction."""
    who = f"The judge, {judged.asked},"
    after, before = _raw_rate(judged.candidate), _raw_rate(judged.baseline)
    if after is None:
        return f"{who} judged nothing of the candidate."
    if before is None:
        return f"{who} passes {percent(after)} of the candidate's outputs{_lost(judged)}."
    return (
        f"{who} passes {percent(before)} of the baseline's outputs and {percent(after)} of the "
        f"candidate's{_lost(judged)}."
    )


def _lost(judged: Judged) -> str:
    arms = [arm for arm in (judged.baseline, judged.candidate) if arm is not None]
    named = [
        (sum(arm.abstained for arm in arms), "abstained"),
        (sum(arm.unparseable for arm in arms), "could not be read"),
        (sum(arm.refused for arm in arms), "refused"),
        (sum(arm.errors for arm in arms), "not judged for an error"),
    ]
    told = [f"{number} {what}" for number, what in named if number]
    return f" ({', '.join(told)}: none of them counts as a pass)" if told else ""


def _corrected(judged: Judged, estimate: Estimate) -> str:
    change = "drops" if estimate.drop >= 0 else "rises"
    return (
        f"By {judged.rubric}, corrected for the judge's errors, the pass rate {change} by "
        f"{points(abs(estimate.drop))} (interval of the drop {points(estimate.lower)} to "
        f"{points(estimate.upper)}; {_whose(judged)})."
    )


def _whose(judged: Judged) -> str:
    by = judged.standing.labelled_by
    if by == ("person",):
        return "measured on human labels"
    named = {"person": "people", "model": "a model", "rule": "a rule"}
    makers = f" made by {' and '.join(named[each] for each in by)}" if by else ""
    return f"measured on labels{makers}"


def _concluded(outcome: Outcome, estimate: Estimate, margin: Fraction | None) -> str:
    if margin is None:
        return "No margin is asked for."
    if outcome is Outcome.PASS:
        return f"A drop of {points(margin)} or more is ruled out."
    if outcome is Outcome.FAIL:
        return f"The drop is real and reaches the margin of {points(margin)}."
    return f"A drop of {points(margin)} or more is neither shown nor ruled out."


def _settle(best: Outcome, worst: Outcome, judged: Judged) -> str:
    if best is not worst:
        arms = [arm for arm in (judged.baseline, judged.candidate) if arm is not None]
        lost = sum(arm.without_verdict for arm in arms)
        return f"A verdict on the {count(lost, 'output')} without one: resume the run."
    return "More cases or trials, or more labels for the judge's calibration."


def _raw_rate(arm: JudgedArm | None) -> float | None:
    """What the judge passes of all that has an outcome; an attempt without an answer is a fail."""
    if arm is None or not arm.judged + arm.known_fails:
        return None
    return arm.passed / (arm.judged + arm.known_fails)


def _rate(arm: JudgedArm | None) -> float | None:
    if arm is None:
        return None
    return _raw_rate(arm) if arm.corrected is None else arm.corrected.value


def _interval(arm: JudgedArm) -> tuple[float, float] | None:
    return None if arm.corrected is None else (arm.corrected.lower, arm.corrected.upper)
