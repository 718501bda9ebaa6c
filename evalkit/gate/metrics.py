"""Metrics that may not rise: cost per resolved case, tokens per success, latency, guardrail rate.

An amount is judged as a ratio between the arms (`ratios`), a rate like a pass rate (`drops`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from evalkit.gate.amounts import exact
from evalkit.gate.cases import CaseResult, TrialResult, attempts_of
from evalkit.gate.drops import DropQuestion, describe_drop, measure_drop
from evalkit.gate.ratios import Arm, IncreaseDecision, decide_increase
from evalkit.gate.samples import Bound, cluster_keys, pass_rate
from evalkit.gate.settings import GateSettings, MetricSettings, margin_of
from evalkit.gate.unknowns import reconcile
from evalkit.gate.wording import count, percent
from evalkit.records.verdict import Estimate, Outcome, PartVerdict

Read = Callable[[TrialResult], float | None]
_AMOUNTS: dict[str, tuple[Read, bool]] = {
    "cost_usd_per_resolved": (lambda trial: trial.cost_usd, True),
    "tokens_per_success": (lambda trial: trial.tokens, True),
    "cost_usd": (lambda trial: trial.cost_usd, False),
    "tokens": (lambda trial: trial.tokens, False),
    "latency_s": (lambda trial: trial.latency_s, False),
}


def decide_metric(name: str, cases: Sequence[CaseResult], settings: GateSettings) -> PartVerdict:
    """Decide one metric of `settings.metrics`.

    An attempt without a value gets the largest or the smallest one seen, against and then for the
    candidate, and the outcomes must agree. With more of them than `max_error_share` among the
    attempts that have a result, the metric is NOT_MEASURED.
    """
    limits = settings.metrics[name]
    if name == "guardrail_rate":
        return _decide_guardrail_rate(cases, settings, limits)
    read, per_pass = _AMOUNTS[name]
    part = f"metric:{name}"
    gap = _missing(read, cases, settings)
    if gap is not None:
        return _not_measured(part, f"{name} was not measured: {gap}.", settings, limits)
    limit = exact(limits.max_increase_pct or 0) / 100
    keys = cluster_keys(cases) or tuple(("case", case.case) for case in cases)
    worst, best = (
        decide_increase(
            *_arms(read, per_pass, cases, bound), keys, float(limit), settings.alpha, settings.rule
        )
        for bound in (Bound.WORST, Bound.BEST)
    )
    outcome = reconcile(best.outcome, worst.outcome)
    return PartVerdict(
        name=part,
        kind="metric",
        outcome=outcome,
        best=best.outcome,
        worst=worst.outcome,
        required=limits.required,
        rule=settings.rule.value,
        estimate=_spanned(best.estimate, worst.estimate),
        margin=float(limit),
        alpha=settings.alpha,
        p_value=best.p_value,
        baseline_value=worst.baseline,
        candidate_value=worst.candidate,
        message=_sentence(name, worst, best),
        what_would_settle=None if outcome in (Outcome.PASS, Outcome.FAIL) else _settle(worst, best),
        owner=settings.owner,
    )


def _arms(read: Read, per_pass: bool, cases: Sequence[CaseResult], bound: Bound) -> tuple[Arm, Arm]:
    seen = [
        value
        for case in cases
        for trial in (*case.baseline, *case.candidate)
        if (value := read(trial)) is not None
    ]
    largest, smallest = max(seen, default=0.0), min(seen, default=0.0)
    worst = bound is Bound.WORST

    def arm(trials: Sequence[Sequence[TrialResult]], fill: float, unknown: bool) -> Arm:
        attempts = [attempts_of(each) for each in trials]
        return Arm(
            tuple(_mean_amount(read, each, fill) for each in attempts),
            tuple(
                float(pass_rate(each, unknown=unknown)) if per_pass else 1.0 for each in attempts
            ),
        )

    return (
        arm([case.baseline for case in cases], smallest if worst else largest, worst),
        arm([case.candidate for case in cases], largest if worst else smallest, not worst),
    )


def _mean_amount(read: Read, trials: Sequence[TrialResult], fill: float) -> float:
    values = [fill if (value := read(trial)) is None else value for trial in trials]
    return math.fsum(values) / len(values)


def _missing(read: Read, cases: Sequence[CaseResult], settings: GateSettings) -> str | None:
    """What keeps the metric from being measured, if anything does."""
    known = [
        trial
        for case in cases
        for trial in (*case.baseline, *case.candidate)
        if trial.passed is not None
    ]
    if not known:
        return "no attempt has a result"
    without = sum(read(trial) is None for trial in known)
    if without > settings.error_share * len(known):
        return f"{without} of {count(len(known), 'attempt')} carry no value"
    return None


def _decide_guardrail_rate(
    cases: Sequence[CaseResult], settings: GateSettings, limits: MetricSettings
) -> PartVerdict:
    """Not triggering is the pass, so a rise of the rate is a drop and meets the same rule."""
    part = "metric:guardrail_rate"
    gap = _missing(lambda trial: trial.guardrail, cases, settings)
    margin = margin_of(limits.max_increase_pp)
    if gap is not None or margin is None:
        return _not_measured(part, f"guardrail_rate was not measured: {gap}.", settings, limits)
    question = DropQuestion(
        name=part,
        kind="metric",
        where="The share of attempts without a guardrail trigger",
        margin=margin,
        alpha=settings.alpha,
        rule=settings.rule,
        required=limits.required,
        owner=settings.owner,
    )
    calm = [
        replace(case, baseline=_calm(case.baseline), candidate=_calm(case.candidate))
        for case in cases
    ]
    return describe_drop(question, measure_drop(question, calm))


def _calm(arm: Sequence[TrialResult]) -> tuple[TrialResult, ...]:
    return tuple(
        TrialResult(passed=None if trial.guardrail is None else not trial.guardrail)
        for trial in arm
    )


def _not_measured(
    part: str, message: str, settings: GateSettings, limits: MetricSettings
) -> PartVerdict:
    return PartVerdict(
        name=part,
        kind="metric",
        outcome=Outcome.NOT_MEASURED,
        best=Outcome.NOT_MEASURED,
        worst=Outcome.NOT_MEASURED,
        required=limits.required,
        message=message,
        what_would_settle="Attempts that carry this value.",
        owner=settings.owner,
    )


def _spanned(best: Estimate | None, worst: Estimate | None) -> Estimate | None:
    if best is None or worst is None:
        return None
    return Estimate(
        drop=worst.drop, lower=min(best.lower, worst.lower), upper=max(best.upper, worst.upper)
    )


def _sentence(name: str, worst: IncreaseDecision, best: IncreaseDecision) -> str:
    change = f"{name} went from {_amount(name, worst.baseline)} to {_amount(name, worst.candidate)}"
    if worst.estimate is not None:
        figures = worst.estimate
        change += (
            f", {'a decrease' if figures.drop < 0 else 'an increase'} of "
            f"{percent(abs(figures.drop))} (interval of the increase {percent(figures.lower)} to "
            f"{percent(figures.upper)})"
        )
    if best.outcome is worst.outcome:
        return f"{change}: {worst.reason}."
    return (
        f"{change}: {worst.outcome} with the attempts without a result counted against the "
        f"candidate, {best.outcome} with them counted for it."
    )


def _settle(worst: IncreaseDecision, best: IncreaseDecision) -> str:
    if best.outcome is not worst.outcome:
        return "A result for the attempts without one: resume the run."
    if worst.cases_to_pass is None:
        return "More cases that the candidate resolves."
    return f"About {worst.cases_to_pass:,} cases pass in 80 % of runs if nothing changed."


def _amount(name: str, value: float | None) -> str:
    """Three digits that tell something, without an exponent, in USD where the name says so."""
    if value is None:
        return "nothing resolved"
    digits = f"{value:,.0f}" if value >= 100 else f"{Decimal(f'{value:.3g}'):f}"
    return f"${digits}" if "usd" in name else digits
